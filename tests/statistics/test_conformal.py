"""Test that at most the stated share of new items of each class gets a wrong verdict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.statistics import conformal
from realframe.statistics.conformal import UncertaintyBand

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 20).map(lambda n: n / 20)), min_size=2, max_size=60)
ERRORS = st.floats(0.01, 0.6)


def _wrong(band: UncertaintyBand, fake: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    verdicts = np.array([band.verdict(probability) for probability in probabilities])
    return {
        "real": float((verdicts[~fake] == "ai-generated").mean()),
        "fake": float((verdicts[fake] == "real").mean()),
    }


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("apart", "error"), [(0.5, 0.1), (0.5, 0.02), (3.0, 0.1), (8.0, 0.2)])
def test_the_error_of_each_class_is_at_most_the_stated_one(apart: float, error: float, ties: bool) -> None:
    random = np.random.default_rng(11)
    shares: dict[str, list[float]] = {"real": [], "fake": []}
    for _ in range(300):
        fake = random.random(260) < 0.4
        probabilities = 1 / (1 + np.exp(-(random.normal(size=260) + apart * (fake - 0.5))))
        probabilities = np.round(probabilities, 1) if ties else probabilities
        band = conformal.fit_band(fake[:60], probabilities[:60], error)
        assert band.error >= error
        for label, share in _wrong(band, fake[60:], probabilities[60:]).items():
            shares[label].append(share - band.error)
    for label, above in shares.items():
        assert np.mean(above) < 0.006, label  # three standard errors of 300 trials


def test_the_band_is_not_wider_than_necessary() -> None:
    random = np.random.default_rng(1)
    fake = np.arange(4000) % 2 == 1
    probabilities = 1 / (1 + np.exp(-(random.normal(size=4000) + fake - 0.5)))
    wrong = _wrong(conformal.fit_band(fake[:2000], probabilities[:2000], 0.1), fake[2000:], probabilities[2000:])
    assert all(0.07 < share < 0.13 for share in wrong.values()), wrong


@settings(deadline=None)
@given(ROWS, ERRORS, ERRORS)
def test_a_larger_error_gives_a_narrower_range_of_uncertainty(rows: list[tuple[bool, float]], one: float, other: float) -> None:
    fake, probabilities = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(fake)) < 2:
        return
    strict, loose = (conformal.fit_band(fake, probabilities, error) for error in sorted((one, other)))
    assert strict.error <= loose.error
    for band in (strict, loose):
        assert 0 <= band.low <= band.high <= 1
    highest_real, lowest_fake = _quantiles(fake, probabilities, strict.error)
    assert highest_real >= _quantiles(fake, probabilities, loose.error)[0]
    for probability in np.linspace(0, 1, 41):
        fits = {"real": probability <= highest_real, "ai-generated": probability >= lowest_fake}
        sole = [name for name, kept in fits.items() if kept] if sum(fits.values()) == 1 else ["uncertain"]
        assert [strict.verdict(probability)] == sole


def _quantiles(fake: np.ndarray, probabilities: np.ndarray, error: float) -> tuple[float, float]:
    """The highest probability that still fits real, and the lowest that fits fake, by counting."""

    def fits(rows: np.ndarray, odder: np.ndarray) -> np.ndarray:
        p = (1 + odder.sum(axis=1)) / (1 + rows.sum())  # the conformal p-value of each candidate
        return p > error + 1e-9

    levels = np.unique(probabilities)
    real = levels[fits(~fake, probabilities[~fake][None] >= levels[:, None])]
    ai = levels[fits(fake, probabilities[fake][None] <= levels[:, None])]
    return float(real.max()), float(ai.min())


def test_few_items_state_the_smallest_possible_error() -> None:
    fake = np.array([True] * 4 + [False] * 30)
    probabilities = np.where(fake, 0.9, 0.1)
    band = conformal.fit_band(fake, probabilities, 0.05)
    assert band.error == pytest.approx(1 / 5)
    assert conformal.fit_band(np.repeat(fake, 8), np.repeat(probabilities, 8), 0.05).error == 0.05
    assert (band.verdict(0.1), band.verdict(0.5), band.verdict(0.9)) == ("real", "uncertain", "ai-generated")


def test_certain_scores_keep_their_verdict() -> None:
    fake = np.arange(40) % 2 == 1
    band = conformal.fit_band(fake, fake.astype(float), 0.1)
    assert (band.verdict(0.0), band.verdict(0.5), band.verdict(1.0)) == ("real", "uncertain", "ai-generated")


def test_without_a_class_every_verdict_is_uncertain() -> None:
    band = conformal.fit_band(np.array([True, True, True]), np.array([0.1, 0.5, 0.9]), 0.1)
    assert {band.verdict(probability) for probability in (0.0, 0.3, 1.0)} == {"uncertain"}
    assert band.error == 1.0
