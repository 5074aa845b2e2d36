"""Test bootstrap intervals: equal to SciPy's, and correct for clusters, small numbers and perfect scores."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from realframe.statistics import bootstrap
from realframe.statistics.classification_metrics import compute_metrics


def _items(count: int = 200, seed: int = 3) -> tuple[np.ndarray, np.ndarray, pd.Series]:
    random = np.random.default_rng(seed)
    fake = np.arange(count) % 2 == 1
    scores = random.normal(0.55, 0.2, count) * 0.7 + 0.25 * fake
    return fake, scores, pd.Series([f"c{number}" for number in range(count)])


def test_interval_equals_scipy() -> None:
    fake, scores, clusters = _items()
    drawn = compute_metrics(fake, scores, 0.5, bootstrap.draw_resamples(clusters, fake, 6000, seed=1))["recall"]
    low, high = bootstrap.percentile_bounds(drawn)
    called = ((scores >= 0.5)[fake].astype(float),)
    expected = stats.bootstrap(called, np.mean, n_resamples=6000, method="percentile", rng=np.random.default_rng(2)).confidence_interval
    assert (low, high) == (pytest.approx(expected.low, abs=0.012), pytest.approx(expected.high, abs=0.012))
    assert high - low > 0.05


def test_interval_of_roc_auc_equals_scipy() -> None:
    fake, scores, clusters = _items(100)
    low, high = bootstrap.percentile_bounds(
        compute_metrics(fake, scores, 0.5, bootstrap.draw_resamples(clusters, fake, 4000, seed=1))["roc_auc"]
    )

    def area(positive: np.ndarray, negative: np.ndarray, axis: int) -> np.ndarray:
        return (positive[..., :, None] > negative[..., None, :]).mean(axis=(-2, -1))

    both = (scores[fake], scores[~fake])
    expected = stats.bootstrap(
        both, area, n_resamples=4000, method="percentile", vectorized=True, batch=500, rng=np.random.default_rng(2)
    ).confidence_interval
    assert (low, high) == (pytest.approx(expected.low, abs=0.015), pytest.approx(expected.high, abs=0.015))


def test_copies_in_a_cluster_do_not_narrow_the_interval() -> None:
    fake, scores, clusters = _items(60)
    separate = compute_metrics(fake, scores, 0.5, bootstrap.draw_resamples(clusters, fake, 500, seed=1))["accuracy"]
    fourfold = (np.repeat(fake, 4), np.repeat(scores, 4), clusters.repeat(4).reset_index(drop=True))
    together = compute_metrics(*fourfold[:2], 0.5, bootstrap.draw_resamples(fourfold[2], fourfold[0], 500, seed=1))["accuracy"]
    np.testing.assert_allclose(together, separate)
    apart = pd.Series([f"own{number}" for number in range(240)])
    narrowed = compute_metrics(*fourfold[:2], 0.5, bootstrap.draw_resamples(apart, fourfold[0], 500, seed=1))["accuracy"]
    assert narrowed.std() < 0.7 * separate.std()


def test_both_classes_are_in_every_resample() -> None:
    fake = np.array([True] + [False] * 300)
    clusters = pd.Series([str(number) for number in range(301)])
    draws = bootstrap.draw_resamples(clusters, fake, 400, seed=0)
    assert (draws.counts[:, draws.row_clusters] @ fake >= 1).all()
    assert (draws.counts.sum(axis=1) == 301).all()


def test_resamples_depend_on_the_seed_alone() -> None:
    fake, _, clusters = _items(40)
    first, again, other = (bootstrap.draw_resamples(clusters, fake, 50, seed=seed).counts for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_perfect_score_has_an_interval() -> None:
    perfect = bootstrap.percentile_interval(1.0, np.ones(1000), clusters=30)
    assert perfect.low == pytest.approx(stats.binomtest(30, 30).proportion_ci(method="exact").low)
    assert perfect.high == 1.0
    assert bootstrap.percentile_interval(0.0, np.zeros(1000), clusters=30).high == pytest.approx(1 - perfect.low)


def test_few_clusters_give_no_interval() -> None:
    interval = bootstrap.percentile_interval(1.0, np.ones(1000), clusters=bootstrap.MIN_CLUSTERS - 1).as_dict()
    assert interval == {"value": 1.0, "low": None, "high": None}
