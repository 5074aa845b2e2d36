"""Test that the threshold is the best one on the validation items, and near 0.5 among equals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from realframe.statistics import classification_metrics

SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 50).map(lambda n: n / 50)), min_size=2, max_size=40)


@settings(deadline=None)
@given(SCORES)
def test_no_threshold_has_better_balanced_accuracy(rows: list[tuple[bool, float]]) -> None:
    fake, scores = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(fake)) < 2:
        return
    chosen = classification_metrics.choose_threshold(fake, scores)
    reached = balanced_accuracy_score(fake, scores >= chosen)
    called = scores >= np.linspace(0, 1, 101)[:, None]
    every = (called[:, fake].mean(axis=1) + (~called)[:, ~fake].mean(axis=1)) / 2
    assert reached == pytest.approx(every.max(), abs=1e-9)


def test_of_equally_good_thresholds_the_nearest_to_one_half_wins() -> None:
    fake = np.array([False, False, True, True])
    assert classification_metrics.choose_threshold(fake, np.array([0.1, 0.2, 0.6, 0.9])) == 0.5  # 0.4 tells them apart as well
    assert classification_metrics.choose_threshold(fake, np.array([0.1, 0.2, 0.3, 0.4])) == pytest.approx(0.25)
    assert classification_metrics.choose_threshold(fake, np.array([0.6, 0.7, 0.8, 0.9])) == pytest.approx(0.75)


def test_without_one_class_the_threshold_is_one_half() -> None:
    assert classification_metrics.choose_threshold(np.array([True, True]), np.array([0.9, 0.2])) == 0.5
