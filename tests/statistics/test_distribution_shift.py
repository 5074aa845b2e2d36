"""Test the shift statistics: small without a shift, large with one, and equal to SciPy and to loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from realframe.statistics.distribution_shift import compute_ks, compute_mmd, compute_psi
from realframe.statistics.hypothesis_tests import holm_adjust

NUMBERS = st.lists(st.integers(0, 10).map(lambda n: n / 10), min_size=2, max_size=40).map(np.array)


def test_psi_of_a_known_case() -> None:
    reference = np.repeat([0.05, 0.15, 0.25, 0.35], 25)
    sample = np.repeat([0.05, 0.15, 0.25, 0.35], [10, 20, 30, 40])
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    assert compute_psi(reference, sample, bins=4).value == pytest.approx(((shares - 0.25) * np.log(shares / 0.25)).sum())
    assert compute_psi(reference, reference, bins=4).value == 0.0
    assert compute_psi(reference, sample).p_value is None


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_psi_is_finite_and_not_negative(reference: np.ndarray, sample: np.ndarray) -> None:
    assert 0 <= compute_psi(reference, sample).value < 50


def test_psi_of_equal_distributions_has_the_expected_mean() -> None:
    random = np.random.default_rng(2)
    found = np.mean([compute_psi(random.random(400), random.random(300)).value for _ in range(300)])
    assert found == pytest.approx(9 * (1 / 400 + 1 / 300), rel=0.15)


def test_empty_bins_raise_psi() -> None:
    random = np.random.default_rng(2)
    assert compute_psi(random.random(400), np.full(100, 0.99)).value > 5


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_ks_equals_the_largest_distance(reference: np.ndarray, sample: np.ndarray) -> None:
    found = compute_ks(reference, sample)
    levels = np.unique(np.r_[reference, sample])
    apart = [abs((reference <= level).mean() - (sample <= level).mean()) for level in levels]
    assert found.value == pytest.approx(max(apart))
    assert 0 <= found.p_value <= 1


@pytest.mark.parametrize("moved", [0.0, 0.3, 2.0])
def test_p_value_of_ks_equals_scipy(moved: float) -> None:
    random = np.random.default_rng(8)
    reference, sample = random.normal(size=60), random.normal(moved, 1, size=45)
    found, expected = compute_ks(reference, sample), stats.ks_2samp(reference, sample, method="exact")
    assert (found.value, found.p_value) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_mmd_equals_a_loop() -> None:
    random = np.random.default_rng(3)
    x, y = random.normal(size=(7, 3)), random.normal(0.5, 1, size=(5, 3))
    pooled = np.concatenate([x, y])
    distances = [np.linalg.norm(a - b) for place, a in enumerate(pooled) for b in pooled[:place]]
    width = np.median(distances)

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.exp(-(np.linalg.norm(a - b) ** 2) / (2 * width**2)))

    inside = [np.mean([kernel(a, b) for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]) for rows in (x, y)]
    across = np.mean([kernel(a, b) for a in x for b in y])
    assert compute_mmd(x, y, 10).value == pytest.approx(inside[0] + inside[1] - 2 * across)


def test_mmd_detects_a_shift_of_mean_and_of_variance() -> None:
    random = np.random.default_rng(4)
    reference = random.normal(size=(80, 16))
    for moved in (random.normal(0.5, 1, size=(60, 16)), random.normal(0, 1.5, size=(60, 16))):
        assert compute_mmd(reference, moved, 200).p_value == pytest.approx(1 / 201)
    assert compute_mmd(reference, random.normal(size=(60, 16)), 200).p_value > 0.05


def test_false_alarms_of_mmd_match_the_level() -> None:
    random = np.random.default_rng(6)
    alarms = [compute_mmd(random.normal(size=(20, 4)), random.normal(size=(15, 4)), 99, seed).p_value <= 0.1 for seed in range(200)]
    assert 0.04 < np.mean(alarms) < 0.17


def test_equal_rows_have_no_shift() -> None:
    assert compute_mmd(np.ones((5, 3)), np.ones((4, 3)), 50).value == pytest.approx(0.0)
    assert compute_mmd(np.ones((5, 3)), np.ones((4, 3)), 50).p_value == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5, 8])  # few: statsmodels takes its time
def test_holm_equals_statsmodels(count: int) -> None:
    p_values = [*np.random.default_rng(count).uniform(0, 0.2, count - 1), 1.0]
    np.testing.assert_allclose(holm_adjust(p_values), multipletests(p_values, method="holm")[1], atol=1e-12)
