"""Test that at most the stated share of new items of each class gets a wrong verdict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.statistics import conformal
from realframe.statistics.conformal import UncertaintyBand
from realframe.statistics.source_weights import WeightsByItem

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


def _draw_sources(random: np.random.Generator, count: int, shift: float, apart: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw sources of one class each, of 3 to 200 items: truth, probabilities and names. Each source shifts its scores."""
    rows = []
    for number in range(count):
        fake, items = number % 2 == 1, int(np.exp(random.uniform(np.log(3), np.log(200))))
        logits = (apart if fake else -apart) / 2 + shift * random.normal() + 0.7 * random.normal(size=items)
        rows += [(fake, 1 / (1 + np.exp(-logit)), str(number)) for logit in logits]
    fake, probabilities, sources = zip(*rows, strict=True)
    return np.array(fake), np.array(probabilities), np.array(sources, dtype=object)


def _measure_on_new_sources(
    count: int, shift: float, apart: float, error: float, *, by_source: bool, trials: int = 200
) -> dict[str, float]:
    """Return the mean share of wrong verdicts on items of new sources, minus the stated error, by class."""
    random, above = np.random.default_rng(7), {"real": [], "fake": []}
    for _ in range(trials):
        fake, probabilities, sources = _draw_sources(random, count, shift, apart)
        weights = WeightsByItem.by_source(fake, sources, np.full(len(fake), "", dtype=object)) if by_source else None
        band = conformal.fit_band(fake, probabilities, error, weights)
        new_fake, new, names = _draw_sources(random, 12, shift, apart)
        verdicts = np.array([band.verdict(probability) for probability in new])
        values = WeightsByItem.by_source(new_fake, names, np.full(len(new), "", dtype=object)).values
        for label, wrong in (("real", "ai-generated"), ("fake", "real")):
            of_class = new_fake == (label == "fake")
            above[label].append(float(values[of_class] @ (verdicts[of_class] == wrong)) - band.error)
    return {label: float(np.mean(values)) for label, values in above.items()}


@pytest.mark.parametrize(
    ("count", "shift", "apart", "error"), [(8, 1.0, 0.5, 0.1), (12, 1.5, 1.5, 0.2), (40, 1.0, 0.5, 0.1), (24, 0.0, 1.0, 0.1)]
)
def test_for_new_sources_that_shift_the_scores_the_error_is_at_most_the_stated_one(
    count: int, shift: float, apart: float, error: float
) -> None:
    above = _measure_on_new_sources(count, shift, apart, error, by_source=True)
    assert max(above.values()) < 0.01, above  # the simulation's standard error is below 0.005


def test_the_band_for_new_items_of_the_same_sources_does_not_hold_for_new_sources() -> None:
    """Without weights by source the same simulation finds an error far above the stated one."""
    above = _measure_on_new_sources(8, 1.0, 0.5, 0.1, by_source=False)
    assert min(above.values()) > 0.03, above


def test_few_sources_state_the_smallest_possible_error() -> None:
    fake = np.repeat([False, True, False, True, False], 100)
    sources = np.repeat(np.array(["a", "a", "b", "c", "d"], dtype=object), 100)
    weights = WeightsByItem.by_source(fake, sources, np.full(500, "", dtype=object))
    band = conformal.fit_band(fake, np.where(fake, 0.9, 0.1), 0.05, weights)
    assert band.error == pytest.approx(1 / 3)  # two sources of fakes
    one = WeightsByItem.by_source(fake, np.full(500, "a", dtype=object), np.full(500, "", dtype=object))
    assert conformal.fit_band(fake, np.where(fake, 0.9, 0.1), 0.05, one).error == pytest.approx(1 / 2)


@settings(deadline=None)
@given(ROWS, ERRORS)
def test_sources_of_one_item_each_give_the_band_of_items(rows: list[tuple[bool, float]], error: float) -> None:
    fake, probabilities = (np.array(column) for column in zip(*rows, strict=True))
    names = np.array([str(number) for number in range(len(fake))], dtype=object)
    weights = WeightsByItem.by_source(fake, names, np.full(len(fake), "", dtype=object))
    assert conformal.fit_band(fake, probabilities, error, weights) == conformal.fit_band(fake, probabilities, error)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10).map(lambda n: n / 10), st.sampled_from("abc"), st.sampled_from("xy")), min_size=1),
    ERRORS,
)
def test_the_weight_beyond_the_band_is_at_most_the_error(items: list[tuple[bool, float, str, str]], error: float) -> None:
    """With ties, few sources and missing classes: a new source has the weight 1 / (K + 1), and the rest beyond the end is not more."""
    fake, probabilities, sources, generators = (np.array(column) for column in zip(*items, strict=True))
    weights = WeightsByItem.by_source(fake, sources.astype(object), generators.astype(object))
    band = conformal.fit_band(fake, probabilities, error, weights)
    assert 0 <= band.low <= band.high <= 1
    if fake.all() or not fake.any():
        assert band == UncertaintyBand(0.0, 1.0, 1.0)
        return
    verdicts = np.array([band.verdict(probability) for probability in probabilities])
    for label, wrong in (("real", "ai-generated"), ("fake", "real")):
        of_class, units = fake == (label == "fake"), weights.units[label]
        assert weights.values[of_class].sum() == pytest.approx(1)
        beyond = weights.values[of_class] @ (verdicts[of_class] == wrong) * units / (units + 1) + 1 / (units + 1)
        assert beyond <= band.error + 1e-6 or beyond == pytest.approx(1 / (units + 1))
