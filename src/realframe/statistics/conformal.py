"""Compute verdicts with a stated error, `real`, `ai-generated` or `uncertain`: a class-conditional (Mondrian) split-conformal band.

Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), section 4.5; Angelopoulos & Bates, A gentle introduction to
conformal prediction (2021), section 4.2. For each class, the share ``error`` of its items that look least like it lies outside its range.
A new item of that class then lies outside with a probability of at most ``error``, however good the detector is.

Scores shift from source to source, so items of one source say little of the next one. With weights by source the band is the
hierarchical one (Dunn, Wasserman & Ramdas, Distribution-free prediction sets for two-layer hierarchical models, 2022; Lee, Barber &
Willett, Distribution-free inference with hierarchical data, 2023): the K sources of a class and one new source are exchangeable, each has
the weight 1 / (K + 1), and the error holds for an item of the new source, on average over sources. A single source may have a larger one.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.source_weights import WeightsByItem

Verdict = Literal["real", "ai-generated", "uncertain"]


@dataclass(frozen=True)
class UncertaintyBand:
    """The calibrated probabilities for which the verdict is ``uncertain``.

    Attributes:
        low: below it the verdict is ``real``.
        high: above it the verdict is ``ai-generated``.
        error: largest expected share of each class with a wrong verdict.
    """

    low: float
    high: float
    error: float

    def verdict(self, probability: float) -> Verdict:
        """Return the verdict for a calibrated probability of ``fake``: ``uncertain`` if it fits both classes, or neither."""
        if probability < self.low:
            return "real"
        return "ai-generated" if probability > self.high else "uncertain"


def fit_band(is_fake: Bools, probabilities: Floats, error: float, weights: WeightsByItem | None = None) -> UncertaintyBand:
    """Fit the band to scored items.

    From K units of a class no error below 1 / (K + 1) can be stated: with fewer than 1 / error - 1 units, the band states the smallest
    possible error. If a class is missing no error can be stated, and every verdict is ``uncertain``.

    Args:
        is_fake: (n,) true labels of the items.
        probabilities: (n,) their calibrated probabilities of ``fake``.
        error: share of each class that may get a wrong verdict, above 0 and below 1.
        weights: of the items, by source; by default each item is a unit by itself, and the error holds for new items of the same sources.
    """
    by_item = weights or WeightsByItem.equal(is_fake)
    stated = max(error, *(1 / (units + 1) for units in by_item.units.values()))
    if stated >= 1:
        return UncertaintyBand(0.0, 1.0, 1.0)
    highest_real = _conformal_quantile(probabilities[~is_fake], by_item, "real", is_fake, stated)
    lowest_fake = -_conformal_quantile(-probabilities[is_fake], by_item, "fake", is_fake, stated)
    if lowest_fake <= highest_real:  # between them both classes fit
        return UncertaintyBand(lowest_fake, highest_real, stated)
    # between them neither class fits; each end itself still fits its class
    low, high = np.nextafter(highest_real, 1.0), np.nextafter(lowest_fake, 0.0)
    return UncertaintyBand(float(min(low, high)), float(max(low, high)), stated)


def _conformal_quantile(scores: Floats, weights: WeightsByItem, label: str, is_fake: Bools, error: float) -> float:
    """Return the smallest score that has the weight ``1 - error`` at or below it, where each unit has the weight 1 / (K + 1).

    The unit that is still to come has the rest of the weight, at infinity; it scores higher with a probability of at most ``error``.
    """
    units = weights.units[label]
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(weights.select(label, is_fake)[order]) * units / (units + 1)
    first = int(np.searchsorted(reached, 1 - error - 1e-9))  # K / (K + 1) is 1 - 1 / (K + 1) despite rounding
    return float(scores[order][min(first, len(scores) - 1)])
