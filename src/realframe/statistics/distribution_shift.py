"""Has what comes in moved away from a reference? Three answers: of a score's bins, of its distribution, of vectors of features."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist, pdist
from scipy.stats import ks_2samp

from realframe.statistics.arrays import Bools, Floats

BINS = 10
_MIN_SHARE = 1e-4  # share that an empty bin is taken to hold, so that the index stays finite


@dataclass(frozen=True)
class Shift:
    """How far a sample lies from the reference.

    Attributes:
        value: the statistic; 0 is not at all.
        p: how probable one as large is where nothing has moved; None where the statistic has no test.
    """

    value: float
    p: float | None


def psi(reference: Floats, sample: Floats, bins: int = BINS) -> Shift:
    """Return the population stability index; by custom 0.1 is a small shift and 0.25 a large one (Siddiqi, Credit Risk Scorecards, 2006).

    The bins are the quantiles of the reference, equal ones taken for one. Small samples raise it by themselves: with equal
    distributions its mean is about (bins - 1)(1 / reference + 1 / sample) of their sizes (Yurdakul & Naranjo, J. Risk Model
    Validation 14, 2020).

    Args:
        reference: (n,) numbers, at least one.
        sample: (m,) numbers, at least one.
        bins: how many quantiles.
    """
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    expected, found = (_shares(numbers, edges) for numbers in (reference, sample))
    return Shift(float(((found - expected) * np.log(found / expected)).sum()), None)


def ks(reference: Floats, sample: Floats) -> Shift:
    """Return the two-sample Kolmogorov-Smirnov distance, two-sided, and its p-value (SciPy's, exact for small samples where it can).

    Args:
        reference: (n,) numbers.
        sample: (m,) numbers.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "ks_2samp: Exact calculation unsuccessful", RuntimeWarning)  # it then takes the asymptotic one
        found = ks_2samp(reference, sample)
    return Shift(float(found.statistic), float(found.pvalue))


def mmd(reference: Floats, sample: Floats, permutations: int = 500, seed: int = 0) -> Shift:
    """Return the unbiased squared maximum mean discrepancy, which can fall below 0, and its permutation p-value.

    Gretton et al., A kernel two-sample test, JMLR 13, 2012: equation 3, a Gaussian kernel as wide as the median distance of the pooled
    rows. The p-value counts the sample as it came among the permutations, so that it is never 0.

    Args:
        reference: (n, width) vectors, at least two.
        sample: (m, width) vectors, at least two.
        permutations: of the rows between the two.
        seed: of the permutations.
    """
    pooled = np.concatenate([reference, sample]).astype(np.float64)
    width = np.median(pdist(pooled)) or 1.0  # all rows equal: any width will do
    kernel = np.exp(-cdist(pooled, pooled, "sqeuclidean") / (2 * width**2))
    random = np.random.default_rng(seed)
    first = np.arange(len(pooled)) < len(reference)
    value, *drawn = _discrepancies(kernel, np.stack([first, *(random.permutation(first) for _ in range(permutations))]))
    as_large = np.count_nonzero(np.array(drawn) >= value - 1e-12)
    return Shift(float(value), (1 + as_large) / (1 + permutations))


def _discrepancies(kernel: Floats, firsts: Bools) -> Floats:
    """The statistic for each row of ``firsts``, (ways, rows): which rows are taken for the reference."""
    n, m = int(firsts[0].sum()), int((~firsts[0]).sum())
    ones, others = firsts.astype(np.float64), (~firsts).astype(np.float64)
    diagonal = np.diag(kernel)
    within = [((rows @ kernel) * rows).sum(axis=1) - rows @ diagonal for rows in (ones, others)]
    between = ((ones @ kernel) * others).sum(axis=1)
    return np.asarray(within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) - 2 * between / (n * m))


def _shares(numbers: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1)
    shares = np.maximum(counts / counts.sum(), _MIN_SHARE)
    return np.asarray(shares / shares.sum())
