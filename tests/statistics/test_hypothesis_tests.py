"""Test the comparison of two models: McNemar's test equals statsmodels', and the interval respects pairs and clusters."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import matthews_corrcoef, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar as reference

from realframe.statistics import bootstrap
from realframe.statistics.classification_metrics import compute_metrics
from realframe.statistics.hypothesis_tests import ModelScores, mcnemar_test, paired_difference


def _models(count: int = 300, better: float = 0.8) -> tuple[np.ndarray, ModelScores, ModelScores, pd.Series]:
    random = np.random.default_rng(5)
    fake = np.arange(count) % 2 == 1
    shared = random.normal(size=count)
    one, other = (1 / (1 + np.exp(-(shared + random.normal(0, 0.3, count) + gain * (2 * fake - 1)))) for gain in (better, 0.5))
    return fake, ModelScores(one, 0.5), ModelScores(other, 0.45), pd.Series([f"c{number}" for number in range(count)])


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_equals_statsmodels(rows: list[tuple[bool, bool]]) -> None:
    a, b = (np.array(column) for column in zip(*rows, strict=True))
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    found = mcnemar_test(a, b)
    assert (found.only_a, found.only_b) == (table[0][1], table[1][0])
    assert found.p_value == pytest.approx(reference(table, exact=True).pvalue if found.only_a + found.only_b else 1.0)


def test_paired_difference() -> None:
    fake, a, b, clusters = _models()
    auc = paired_difference(fake, clusters, a, b, "roc_auc", 500, 0)
    assert auc.value == pytest.approx(roc_auc_score(fake, a.scores) - roc_auc_score(fake, b.scores))
    assert 0 < auc.low < auc.value < auc.high
    expected = matthews_corrcoef(fake, a.scores >= 0.5) - matthews_corrcoef(fake, b.scores >= 0.45)
    assert paired_difference(fake, clusters, a, b, "mcc", 500, 0).value == pytest.approx(expected)
    back = paired_difference(fake, clusters, b, a, "roc_auc", 500, 0)
    assert (back.low, back.high) == (pytest.approx(-auc.high), pytest.approx(-auc.low))


def test_the_interval_equals_scipy_over_pairs() -> None:
    fake, a, b, clusters = _models()
    found = paired_difference(fake, clusters, a, b, "accuracy", 6000, 0)
    gains = (b.find_errors(fake).astype(float) - a.find_errors(fake)).astype(float)
    expected = stats.bootstrap((gains,), np.mean, n_resamples=6000, method="percentile", rng=np.random.default_rng(1)).confidence_interval
    assert (found.low, found.high) == (pytest.approx(expected.low, abs=0.012), pytest.approx(expected.high, abs=0.012))


def test_pairing_narrows_and_clusters_widen_the_interval() -> None:
    fake, a, b, clusters = _models()
    paired = paired_difference(fake, clusters, a, b, "roc_auc", 800, 0)
    apart = [bootstrap.draw_resamples(clusters, fake, 800, seed) for seed in (0, 1)]
    drawn = [compute_metrics(fake, model.scores, 0.5, draws)["roc_auc"] for model, draws in zip((a, b), apart, strict=True)]
    low, high = bootstrap.percentile_bounds(drawn[0] - drawn[1])
    assert paired.high - paired.low < 0.7 * (high - low)
    pairs = pd.Series([f"c{number // 30}" for number in range(len(fake))])
    shifted = ModelScores(np.clip(a.scores + 0.3 * (pd.factorize(pairs)[0] % 2), 0, 1), 0.5)
    wide, narrow = (paired_difference(fake, groups, shifted, b, "accuracy", 800, 0) for groups in (pairs, clusters))
    assert wide.high - wide.low > narrow.high - narrow.low


def test_equal_models_have_no_difference_and_few_clusters_no_interval() -> None:
    fake, a, _, clusters = _models()
    assert paired_difference(fake, clusters, a, a, "f1", 200, 0) == bootstrap.Interval(0.0, 0.0, 0.0)
    eight = ModelScores(a.scores[:8], 0.5)
    few = paired_difference(fake[:8], clusters[:8], eight, eight, "f1", 200, 0)
    assert few.as_dict() == {"value": 0.0, "low": None, "high": None}
