"""Compute verdicts with a stated error, `real`, `ai-generated` or `uncertain`: a class-conditional (Mondrian) split-conformal band.

Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), section 4.5; Angelopoulos & Bates, A gentle introduction to
conformal prediction (2021), section 4.2. For each class, the share ``error`` of its validation items that look least like it lies
outside its range. A new item of that class, exchangeable with them, then lies outside with a probability of at most ``error``, however
good the detector is. This does not hold for items from other sources, such as a generator that is not in the validation set.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from realframe.statistics.arrays import Bools, Floats

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


def fit_band(is_fake: Bools, probabilities: Floats, error: float) -> UncertaintyBand:
    """Fit the band to the validation items.

    From n items of a class no error below 1 / (n + 1) can be stated: with fewer than 1 / error - 1 items, the band states the smallest
    possible error. If a class is missing no error can be stated, and every verdict is ``uncertain``.

    Args:
        is_fake: (n,) true labels of the validation items.
        probabilities: (n,) their calibrated probabilities of ``fake``.
        error: share of each class that may get a wrong verdict, above 0 and below 1.
    """
    stated = max(error, *(1 / (int(rows.sum()) + 1) for rows in (is_fake, ~is_fake)))
    if stated >= 1:
        return UncertaintyBand(0.0, 1.0, 1.0)
    highest_real = _conformal_quantile(probabilities[~is_fake], stated)
    lowest_fake = -_conformal_quantile(-probabilities[is_fake], stated)
    if lowest_fake <= highest_real:  # between them both classes fit
        return UncertaintyBand(lowest_fake, highest_real, stated)
    # between them neither class fits; each end itself still fits its class
    low, high = np.nextafter(highest_real, 1.0), np.nextafter(lowest_fake, 0.0)
    return UncertaintyBand(float(min(low, high)), float(max(low, high)), stated)


def _conformal_quantile(scores: Floats, error: float) -> float:
    """Return the ceil((n + 1)(1 - error))-th smallest score; a new item scores higher with a probability of at most ``error``."""
    rank = int(np.ceil((len(scores) + 1) * (1 - error) - 1e-9))  # (n + 1)(1 - 1 / (n + 1)) is n despite rounding
    return float(np.sort(scores)[max(rank, 1) - 1])
