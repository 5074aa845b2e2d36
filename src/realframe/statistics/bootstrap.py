"""Compute 95 % intervals with the bootstrap over clusters of items.

Percentile method: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Clusters are drawn with replacement, not
frames or items: items of one group and near-duplicates are alike, and drawing them separately would make the interval too narrow
(Field & Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69, 2007). Drawing is stratified by the classes that a cluster
contains, so that every class is in every resample.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.statistics.arrays import Bools, Floats, Ints

MIN_CLUSTERS = 5
"""With fewer clusters of a class there is no interval, since it would be a guess."""
_TAIL = 0.025
_BLOCK_SIZE = 8_000_000  # weights in memory at once, 64 MB


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval; NaN where it cannot be computed."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return the fields for JSON, in which NaN is null."""
        return {name: None if np.isnan(value) else float(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Resamples:
    """Bootstrap resamples of clusters.

    Attributes:
        counts: (resamples, clusters), how often each cluster was drawn.
        row_clusters: (n,) the column of each row's cluster in ``counts``.
    """

    counts: Floats
    row_clusters: Ints

    def iter_row_weights(self) -> Iterator[Floats]:
        """Yield the weights of the rows in blocks of resamples, (resamples of the block, n), in bounded memory."""
        step = max(1, _BLOCK_SIZE // max(1, len(self.row_clusters)))
        for start in range(0, len(self.counts), step):
            yield self.counts[start : start + step, self.row_clusters]


def draw_resamples(clusters: "pd.Series[str]", classes: NDArray[Any], resamples: int, seed: int) -> Resamples:
    """Draw clusters with replacement; equal arguments give equal resamples.

    Args:
        clusters: (n,) the cluster of each row (an item, or a frame of one).
        classes: (n,) the class of each row: the true label, or more than two classes, such as the generators.
        resamples: number of resamples.
        seed: of the random numbers.
    """
    codes, names = pd.factorize(clusters.to_numpy())
    class_names, class_codes = np.unique(classes, return_inverse=True)
    contains = np.zeros((len(names), len(class_names)), np.bool_)
    contains[codes, class_codes] = True
    strata = np.unique(contains, axis=0, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    counts = np.zeros((resamples, len(names)))
    for stratum in range(strata.max(initial=-1) + 1):
        members = np.flatnonzero(strata == stratum)
        counts[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return Resamples(counts, codes.astype(np.int64))


def draw_nested_resamples(sources: NDArray[Any], groups: NDArray[Any], is_fake: Bools, resamples: int, seed: int) -> Resamples:
    """Draw sources with replacement and, within each drawn source, its groups of AI-generated items; equal arguments give equal resamples.

    The real items of a source stay together. A resample that lacks a class is drawn again. Davison & Hinkley, Bootstrap Methods and their
    Application (1997), section 3.8, on hierarchical data: both levels with replacement, for few units at the upper one.

    Args:
        sources: (n,) the source of each row.
        groups: (n,) the group of each row within its source, its generator; ignored for real items.
        is_fake: (n,) true labels; both classes must occur.
        resamples: number of resamples.
        seed: of the random numbers.

    Returns:
        The resamples of the groups, with the real items of a source as one of its groups.
    """
    unit_names = pd.MultiIndex.from_arrays([sources, is_fake, np.where(is_fake, groups, "")])
    row_units, units = pd.factorize(unit_names)
    source_codes, source_names = pd.factorize(units.get_level_values(0))
    unit_is_fake = units.get_level_values(1).to_numpy(np.bool_)
    random = np.random.default_rng(seed)
    drawn = _draw_sources_of_both_classes(random, source_codes, unit_is_fake, len(source_names), resamples)
    counts = np.zeros((resamples, len(units)))
    counts[:, ~unit_is_fake] = drawn[:, source_codes[~unit_is_fake]]
    for source in range(len(source_names)):
        members = np.flatnonzero(unit_is_fake & (source_codes == source))
        if len(members):
            counts[:, members] = random.multinomial(len(members) * drawn[:, source], np.full(len(members), 1 / len(members)))
    return Resamples(counts, row_units.astype(np.int64))


def _draw_sources_of_both_classes(
    random: np.random.Generator, source_codes: Ints, unit_is_fake: Bools, sources: int, resamples: int
) -> Ints:
    """Return how often each source is drawn, (resamples, sources)."""
    has_class = np.zeros((2, sources), np.bool_)
    has_class[unit_is_fake.astype(np.int64), source_codes] = True
    shares = np.full(sources, 1 / sources)
    drawn = random.multinomial(sources, shares, size=resamples)
    while (lacking := ((drawn @ has_class.T) == 0).any(axis=1)).any():
        drawn[lacking] = random.multinomial(sources, shares, size=int(lacking.sum()))
    return drawn


def count_minority_clusters(clusters: "pd.Series[str]", is_fake: Bools) -> int:
    """Return the number of clusters that contain the class that is in fewer clusters."""
    return int(min(clusters[is_fake].nunique(), clusters[~is_fake].nunique()))


def percentile_interval(value: float, resampled: Floats, clusters: int) -> Interval:
    """Return the percentile interval of a value in [0, 1].

    A value of exactly 0 or 1 in all resamples only shows that these clusters contain no mistake, and the bootstrap interval would have
    no width. In that case one end is the exact binomial bound (Clopper & Pearson 1934; Hanley & Lippman-Hand 1983).

    Args:
        value: over all items.
        resampled: (resamples,) the value over each resample.
        clusters: number of clusters of the smaller class; below ``MIN_CLUSTERS`` there is no interval.
    """
    if clusters < MIN_CLUSTERS or np.isnan(value) or np.isnan(resampled).any():
        return Interval(value, np.nan, np.nan)
    low, high = percentile_bounds(resampled)
    bound = _TAIL ** (1 / clusters)
    if low == high == 1.0:
        low = bound
    if low == high == 0.0:
        high = 1 - bound
    return Interval(value, low, high)


def percentile_bounds(resampled: Floats) -> tuple[float, float]:
    """Return the ends of the middle 95 % of resampled values."""
    low, high = np.percentile(resampled, [100 * _TAIL, 100 * (1 - _TAIL)])
    return float(low), float(high)
