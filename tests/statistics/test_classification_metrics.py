"""Test that the metrics equal scikit-learn's, also with the weights of a resample."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from realframe.statistics.bootstrap import Resamples
from realframe.statistics.classification_metrics import METRICS, compute_metrics, count_confusion

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 20).map(lambda n: n / 20), st.integers(0, 3)), min_size=2, max_size=40)


def _expected(fake: np.ndarray, scores: np.ndarray, at: float, weights: np.ndarray) -> dict[str, float]:
    called, options = scores >= at, {"sample_weight": weights}
    return {
        "accuracy": reference.accuracy_score(fake, called, **options),
        "balanced_accuracy": reference.balanced_accuracy_score(fake, called, **options),
        "precision": reference.precision_score(fake, called, zero_division=0, **options),
        "recall": reference.recall_score(fake, called, **options),
        "f1": reference.f1_score(fake, called, zero_division=0, **options),
        "roc_auc": reference.roc_auc_score(fake, scores, **options),
        "pr_auc": reference.average_precision_score(fake, scores, **options),
        "eer": _equal_error(*reference.roc_curve(fake, scores, drop_intermediate=False, **options)[:2]),
        "mcc": reference.matthews_corrcoef(fake, called, **options),
        "log_loss": reference.log_loss(fake, scores, **options),
        "brier": reference.brier_score_loss(fake, scores, **options),
        "ece": _expected_calibration_error(fake, scores, weights),
    }


def _equal_error(false_positive_rate: np.ndarray, true_positive_rate: np.ndarray) -> float:
    """Where the first segment of the ROC that reaches the diagonal of equal errors meets it."""
    for (x0, y0), (x1, y1) in itertools.pairwise(zip(false_positive_rate, true_positive_rate, strict=True)):
        if x1 >= 1 - y1 - 1e-12:
            share = (1 - y0 - x0) / (x1 - x0 + y1 - y0)
            return x0 + share * (x1 - x0)
    raise AssertionError


def _expected_calibration_error(fake: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    total = 0.0
    for place in range(15):
        upper = 2.0 if place == 14 else (place + 1) / 15
        inside = (scores >= place / 15) & (scores < upper) & (weights > 0)
        if inside.any():
            gap = np.average(scores[inside], weights=weights[inside]) - np.average(fake[inside], weights=weights[inside])
            total += weights[inside].sum() * abs(gap)
    return total / weights.sum()


@settings(deadline=None)
@given(ROWS, st.integers(0, 20).map(lambda n: n / 20))
def test_weighted_metrics_equal_scikit_learn(rows: list[tuple[bool, float, int]], at: float) -> None:
    fake, scores, times = (np.array(column) for column in zip(*rows, strict=True))
    present = times > 0
    if len(set(fake[present])) < 2:
        return
    draws = Resamples(times[None].astype(float), np.arange(len(fake)))
    metrics = compute_metrics(fake, scores, at, draws)
    for name, value in _expected(fake[present], scores[present], at, times[present]).items():
        assert metrics[name][0] == pytest.approx(value, abs=1e-9), name


@settings(deadline=None)
@given(ROWS)
def test_without_resamples_each_row_counts_once(rows: list[tuple[bool, float, int]]) -> None:
    fake, scores, _ = (np.array(column) for column in zip(*rows, strict=True))
    once = Resamples(np.ones((1, len(fake))), np.arange(len(fake)))
    plain, drawn = compute_metrics(fake, scores, 0.5), compute_metrics(fake, scores, 0.5, once)
    for name in METRICS:
        np.testing.assert_array_equal(plain[name], drawn[name])


def test_a_missing_class_gives_nan_instead_of_a_perfect_value() -> None:
    metrics = compute_metrics(np.array([True, True]), np.array([0.9, 0.8]), 0.5)
    assert np.isnan(metrics["roc_auc"][0])
    assert np.isnan(metrics["balanced_accuracy"][0])
    assert np.isnan([metrics["eer"][0], metrics["mcc"][0]]).all()


def test_equal_error_rate_of_known_rankings() -> None:
    fake = np.array([False, False, True, True])
    for scores, expected in (([0.1, 0.2, 0.8, 0.9], 0.0), ([0.9, 0.8, 0.2, 0.1], 1.0), ([0.5] * 4, 0.5), ([0.1, 0.8, 0.2, 0.9], 0.5)):
        assert compute_metrics(fake, np.array(scores), 0.5)["eer"][0] == pytest.approx(expected), scores


def test_probability_metrics_use_the_calibrated_probabilities() -> None:
    fake, scores = np.array([False, True, False, True]), np.array([0.1, 0.6, 0.7, 0.9])
    plain, calibrated = compute_metrics(fake, scores, 0.5), compute_metrics(fake, scores, 0.5, probabilities=scores**2)
    for name in METRICS:
        expected = compute_metrics(fake, scores**2, 0.25)[name][0]
        assert calibrated[name][0] == pytest.approx(expected), name
        assert bool(plain[name][0] != calibrated[name][0]) is (name in ("log_loss", "ece", "brier")), name


def test_confusion_counts() -> None:
    fake = np.array([True, True, True, False, False, False, False])
    scores = np.array([0.9, 0.5, 0.1, 0.9, 0.4, 0.3, 0.2])
    counts = {"real_called_real": 3, "real_called_fake": 1, "fake_called_real": 1, "fake_called_fake": 2}
    assert count_confusion(fake, scores, 0.5) == counts  # a score at the threshold is called fake


def test_processing_in_blocks_gives_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    fake, scores = random.random(50) < 0.5, random.random(50)
    draws = Resamples(random.integers(1, 4, (30, 50)).astype(float), np.arange(50))
    whole = compute_metrics(fake, scores, 0.5, draws)
    monkeypatch.setattr("realframe.statistics.bootstrap._BLOCK_SIZE", 120)
    parts = compute_metrics(fake, scores, 0.5, draws)
    for name in METRICS:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-12)
