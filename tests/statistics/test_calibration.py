"""Test calibration: the scaling with the lowest loss, the order of scores, no certainty from few units, and the reliability bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression

from realframe.statistics import calibration
from realframe.statistics.source_weights import WeightsByItem

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)
ITEMS = st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.sampled_from("abcd")), min_size=1, max_size=40)


def _sample(count: int, sharpness: float, shift: float = 0.0, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Truth drawn by its probability, and scores whose logits are so many times too large, and shifted."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, count)
    return random.random(count) < expit(logits), expit(sharpness * (logits + shift))


@pytest.mark.parametrize(("sharpness", "shift"), [(0.4, 0.0), (1.0, 1.0), (3.0, -0.5)])
def test_known_parameters_are_recovered(sharpness: float, shift: float) -> None:
    fitted = calibration.fit_platt_scaling(*_sample(40_000, sharpness, shift))
    assert fitted.slope == pytest.approx(1 / sharpness, rel=0.04)
    assert fitted.intercept == pytest.approx(-shift, abs=0.06)


def test_it_is_the_logistic_regression_of_scikit_learn_with_balanced_classes() -> None:
    fake, scores = _sample(20_000, 2.0, 0.7)
    rows = np.r_[np.flatnonzero(fake)[:2000], np.flatnonzero(~fake)]  # one class in a smaller number
    fitted = calibration.fit_platt_scaling(fake[rows], scores[rows])
    logits = np.log(scores[rows] / (1 - scores[rows]))[:, None]
    expected = LogisticRegression(C=np.inf, class_weight="balanced").fit(logits, fake[rows])
    assert fitted.slope == pytest.approx(float(expected.coef_[0, 0]), rel=0.02)
    assert fitted.intercept == pytest.approx(float(expected.intercept_[0]), abs=0.02)


def test_each_source_counts_equally() -> None:
    """A source of a thousand items weighs as much as one of ten."""
    uneven, even = (_fit_two_sources(items) for items in (1000, 10))
    assert uneven.slope == pytest.approx(even.slope, rel=1e-4)
    assert uneven.intercept == pytest.approx(even.intercept, abs=1e-4)


def _fit_two_sources(items: int) -> calibration.PlattScaling:
    fake, scores, sources = (
        np.repeat(np.array(values), [items, items, 10, 10])
        for values in ([False, True, False, True], [0.4, 0.6, 0.6, 0.8], ["large", "large", "small", "small"])
    )
    weights = WeightsByItem.by_source(fake, sources.astype(object), np.full(len(fake), "", dtype=object))
    assert weights.units == {"real": 2, "fake": 2}
    return calibration.fit_platt_scaling(fake, scores, weights)


@pytest.mark.parametrize("units", [1, 2, 5, 10])
def test_perfect_separation_gives_no_certainty(units: int) -> None:
    """Of K sources without a mistake, however many items they have, the next one is not certain either: (K + 1) / (K + 2)."""
    fake = np.repeat(np.arange(2 * units) % 2 == 1, 50)
    sources = np.repeat(np.array([str(number) for number in range(2 * units)], dtype=object), 50)
    fitted = calibration.fit_platt_scaling(
        fake, np.where(fake, 0.9999, 0.0001), WeightsByItem.by_source(fake, sources, np.full(len(fake), "", dtype=object))
    )
    assert fitted.apply(np.array([0.9999]))[0] == pytest.approx((units + 1) / (units + 2), abs=0.01)


def test_scores_that_mislead_are_not_inverted() -> None:
    fake = np.arange(100) % 2 == 1
    fitted = calibration.fit_platt_scaling(fake, np.where(fake, 0.2, 0.8))
    assert fitted.slope == 0
    np.testing.assert_allclose(fitted.apply(np.array([0.0, 0.5, 1.0])), 0.5, atol=1e-6)


def test_a_missing_class_leaves_the_scores_as_they_are() -> None:
    fitted = calibration.fit_platt_scaling(np.array([True, True]), np.array([0.2, 0.9]))
    np.testing.assert_allclose(fitted.apply(np.array([0.2, 0.9])), [0.2, 0.9])


@settings(deadline=None)
@given(ITEMS, SCORES)
def test_probabilities_are_monotone_and_never_certain(items: list[tuple[bool, float, str]], others: np.ndarray) -> None:
    fake, scores, sources = (np.array(column) for column in zip(*items, strict=True))
    weights = WeightsByItem.by_source(fake, sources.astype(object), np.full(len(fake), "", dtype=object))
    fitted = calibration.fit_platt_scaling(fake, scores, weights)
    assert np.isfinite([fitted.slope, fitted.intercept]).all()
    assert fitted.slope >= 0
    probabilities = fitted.apply(np.sort(others))
    assert ((probabilities >= 0.01) & (probabilities <= 0.99)).all()
    assert (np.diff(probabilities) >= 0).all()


@settings(deadline=None, max_examples=50)
@given(ITEMS)
def test_no_other_scaling_has_a_lower_loss(items: list[tuple[bool, float, str]]) -> None:
    fake, scores = np.array([item[0] for item in items]), np.clip([item[1] for item in items], 0.01, 0.99)
    if fake.all() or not fake.any():
        return
    weights = WeightsByItem.equal(fake)
    fitted = calibration.fit_platt_scaling(fake, scores, weights)
    targets = np.where(fake, (weights.units["fake"] + 1) / (weights.units["fake"] + 2), 1 / (weights.units["real"] + 2))

    def loss(slope: float, intercept: float) -> float:
        scaled = slope * np.log(scores / (1 - scores)) + intercept
        return float(weights.values @ (np.logaddexp(0, scaled) - targets * scaled) + 1e-4 * (slope**2 + intercept**2))

    best = loss(fitted.slope, fitted.intercept)
    for slope, intercept in ((0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1), (0.5, 0.5), (-fitted.slope, 0.0)):
        if fitted.slope + slope >= 0:
            assert best <= loss(fitted.slope + slope, fitted.intercept + intercept) + 1e-9


def test_bins_equal_scikit_learn() -> None:
    fake, scores = _sample(500, 1.5)
    filled = [entry for entry in calibration.reliability_bins(fake, scores) if entry.items]
    shares, means = calibration_curve(fake, scores, n_bins=calibration.BINS)
    np.testing.assert_allclose([entry.fake_share for entry in filled], shares)
    np.testing.assert_allclose([entry.mean_probability for entry in filled], means)


@settings(deadline=None)
@given(SCORES)
def test_every_item_is_in_one_bin(scores: np.ndarray) -> None:
    bins = calibration.reliability_bins(scores >= 0.5, scores)
    assert sum(entry.items for entry in bins) == len(scores)
    assert len(bins) == calibration.BINS
    for entry in bins:
        assert entry.mean_probability is None or entry.low - 1e-9 <= entry.mean_probability <= entry.high + 1e-9
