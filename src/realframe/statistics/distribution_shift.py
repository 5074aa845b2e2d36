"""Measure how far a sample has shifted from a reference: PSI and Kolmogorov-Smirnov of scores, MMD of feature vectors."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import ks_2samp

from realframe.statistics.arrays import Bools, Floats

BINS = 10
_MIN_SHARE = 1e-4  # share of an empty bin, so that the index stays finite


@dataclass(frozen=True)
class ShiftStatistic:
    """The distance of a sample from the reference.

    Attributes:
        value: the statistic; 0 is no shift.
        p_value: probability of a value at least as large without a shift; None if the statistic has no test.
    """

    value: float
    p_value: float | None


def compute_psi(reference: Floats, sample: Floats, bins: int = BINS) -> ShiftStatistic:
    """Return the population stability index; by custom 0.1 is a small shift and 0.25 a large one (Siddiqi, Credit Risk Scorecards, 2006).

    The bins are the quantiles of the reference, equal ones merged. Small samples raise the index by themselves: for equal
    distributions its mean is about (bins - 1)(1 / reference + 1 / sample) of their sizes (Yurdakul & Naranjo, J. Risk Model
    Validation 14, 2020).

    Args:
        reference: (n,) numbers, at least one.
        sample: (m,) numbers, at least one.
        bins: number of quantiles.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    expected, observed = (_bin_shares(numbers, edges) for numbers in (reference, sample))
    return ShiftStatistic(float(((observed - expected) * np.log(observed / expected)).sum()), None)


def compute_ks(reference: Floats, sample: Floats) -> ShiftStatistic:
    """Return the two-sample Kolmogorov-Smirnov distance, two-sided, and its p-value (from SciPy; exact for small samples where possible).

    Args:
        reference: (n,) numbers.
        sample: (m,) numbers.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful", RuntimeWarning)  # SciPy then uses the asymptotic one
        result = ks_2samp(reference, sample)
    return ShiftStatistic(float(result.statistic), float(result.pvalue))


def compute_mmd(reference: Floats, sample: Floats, permutations: int = 500, seed: int = 0) -> ShiftStatistic:
    """Return the unbiased squared maximum mean discrepancy, which can fall below 0, and its permutation p-value.

    Gretton et al., A kernel two-sample test, JMLR 13, 2012: equation 3, a Gaussian kernel as wide as the median distance of the pooled
    rows. The p-value counts the observed order among the permutations, so that it is never 0.

    Args:
        reference: (n, width) vectors, at least two.
        sample: (m, width) vectors, at least two.
        permutations: number of permutations of the rows between the two.
        seed: of the permutations.
    """
    pooled = np.concatenate([reference, sample]).astype(np.float64)
    width = np.median(pdist(pooled)) or 1.0  # if all rows are equal, any width works
    kernel = np.exp(-cdist(pooled, pooled, "sqeuclidean") / (2 * width**2))
    random = np.random.default_rng(seed)
    is_reference = np.arange(len(pooled)) < len(reference)
    groupings = np.stack([is_reference, *(random.permutation(is_reference) for _ in range(permutations))])
    value, *permuted = _mmd_statistics(kernel, groupings)
    as_large = np.count_nonzero(np.array(permuted) >= value - 1e-12)
    return ShiftStatistic(float(value), (1 + as_large) / (1 + permutations))


def _mmd_statistics(kernel: Floats, groupings: Bools) -> Floats:
    """Return the statistic for each row of ``groupings``, (groupings, rows), which marks the rows of the reference."""
    n, m = int(groupings[0].sum()), int((~groupings[0]).sum())
    ones, others = groupings.astype(np.float64), (~groupings).astype(np.float64)
    diagonal = np.diag(kernel)
    within = [((rows @ kernel) * rows).sum(axis=1) - rows @ diagonal for rows in (ones, others)]
    between = ((ones @ kernel) * others).sum(axis=1)
    return np.asarray(within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) - 2 * between / (n * m))


def _bin_shares(numbers: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1)
    shares = np.maximum(counts / counts.sum(), _MIN_SHARE)
    return np.asarray(shares / shares.sum())
