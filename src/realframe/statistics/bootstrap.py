"""95 % intervals by the bootstrap over clusters of items.

Percentile method: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. What is drawn with replacement is not the
frame and not the item but the cluster: items of one group and near-duplicates are alike, and drawing them apart would make the
interval too narrow (Field & Welsh, Bootstrapping clustered data, J. R. Stat. Soc. B 69, 2007). Drawing is stratified by which
classes a cluster holds, so that every class is in every resample.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.classification_metrics import Draws

MIN_CLUSTERS = 5
"""With fewer clusters of a class an interval would be a guess, and there is none."""
_TAIL = 0.025


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval; NaN where it can't be said."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float | None]:
        """Return it for JSON, where NaN is null."""
        return {name: None if np.isnan(value) else float(value) for name, value in vars(self).items()}


def draw(clusters: "pd.Series[str]", classes: NDArray[Any], resamples: int, seed: int) -> Draws:
    """Draw clusters with replacement; equal for equal arguments.

    Args:
        clusters: (n,) the cluster of each row (an item, or a frame of one).
        classes: (n,) what each row is: the truth, or more classes than two, such as the generators.
        resamples: how many to draw.
        seed: of the random numbers.
    """
    codes, names = pd.factorize(clusters.to_numpy())
    kinds, class_of = np.unique(classes, return_inverse=True)
    holds = np.zeros((len(names), len(kinds)), np.bool_)
    holds[codes, class_of] = True
    strata = np.unique(holds, axis=0, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    times = np.zeros((resamples, len(names)))
    for stratum in range(strata.max(initial=-1) + 1):
        members = np.flatnonzero(strata == stratum)
        times[:, members] = random.multinomial(len(members), np.full(len(members), 1 / len(members)), size=resamples)
    return Draws(times, codes.astype(np.int64))


def smaller_class(clusters: "pd.Series[str]", fake: Bools) -> int:
    """Return how many clusters hold the class that is in fewer of them."""
    return int(min(clusters[fake].nunique(), clusters[~fake].nunique()))


def interval(value: float, drawn: Floats, clusters: int) -> Interval:
    """Return the percentile interval of a figure in [0, 1].

    A figure of exactly 0 or 1 in all resamples says only that no mistake was among so many clusters; the bootstrap would print an
    interval of no width. There the exact binomial bound takes over (Clopper & Pearson 1934; Hanley & Lippman-Hand 1983).

    Args:
        value: the figure over all items.
        drawn: (resamples,) the figure over each resample.
        clusters: of the smaller class; below ``MIN_CLUSTERS`` there is no interval.
    """
    if clusters < MIN_CLUSTERS or np.isnan(value) or np.isnan(drawn).any():
        return Interval(value, np.nan, np.nan)
    low, high = percentiles(drawn)
    bound = _TAIL ** (1 / clusters)
    if low == high == 1.0:
        low = bound
    if low == high == 0.0:
        high = 1 - bound
    return Interval(value, low, high)


def percentiles(drawn: Floats) -> tuple[float, float]:
    """Return the ends of the middle 95 % of what was drawn."""
    low, high = np.percentile(drawn, [100 * _TAIL, 100 * (1 - _TAIL)])
    return float(low), float(high)
