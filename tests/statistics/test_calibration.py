"""Test calibration: the temperature with the lowest loss, the order of scores, and the reliability bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from realframe.statistics import calibration

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=40).map(np.array)


def _sample(count: int, sharpness: float, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Truth drawn by its probability, and scores whose logits are so many times too large."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, count)
    return random.random(count) < expit(logits), expit(sharpness * logits)


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
def test_a_known_temperature_is_recovered(sharpness: float) -> None:
    fake, scores = _sample(40_000, sharpness)
    assert calibration.fit_temperature(fake, scores) == pytest.approx(sharpness, rel=0.03)


def test_no_temperature_has_a_lower_loss() -> None:
    fake, scores = _sample(5_000, 2.0)
    calibrated_loss = log_loss(fake, calibration.apply_temperature(scores, calibration.fit_temperature(fake, scores)))
    every = [log_loss(fake, calibration.apply_temperature(scores, temperature)) for temperature in np.geomspace(0.1, 10, 200)]
    assert calibrated_loss < min(every) + 1e-4
    assert calibrated_loss < log_loss(fake, scores) - 0.05


def test_few_perfectly_ranked_items_give_no_certainty() -> None:
    fake = np.arange(20) % 2 == 1
    scores = np.where(fake, 0.7, 0.3)
    calibrated = calibration.apply_temperature(scores, calibration.fit_temperature(fake, scores))
    np.testing.assert_allclose(calibrated[fake], 11 / 12, atol=1e-4)
    np.testing.assert_allclose(calibrated[~fake], 1 / 12, atol=1e-4)


def test_a_missing_class_or_certain_scores() -> None:
    assert calibration.fit_temperature(np.array([True, True]), np.array([0.2, 0.9])) == 1.0
    fake, scores = np.array([True, False, True, False]), np.array([1.0, 0.0, 0.0, 1.0])
    assert calibration.fit_temperature(fake, scores) == pytest.approx(
        20.0, rel=1e-3
    )  # half of the sure ones are wrong: it believes nothing
    assert np.isfinite(logit(calibration.apply_temperature(scores, 0.5))).all()


@settings(deadline=None)
@given(SCORES, st.floats(0.05, 20))
def test_the_order_and_one_half_are_kept(scores: np.ndarray, temperature: float) -> None:
    calibrated = calibration.apply_temperature(scores, temperature)
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    assert (np.diff(calibrated[np.argsort(scores)]) >= 0).all()
    assert calibration.apply_temperature(np.array([0.5]), temperature)[0] == 0.5


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
