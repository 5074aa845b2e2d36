"""Verdicts of three words with a stated error: a class-conditional (Mondrian) split-conformal band.

Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), section 4.5; Angelopoulos & Bates, A gentle introduction to
conformal prediction (2021), section 4.2. Each class keeps out the share ``error`` of its validation items that look least like it; a new
item of that class, exchangeable with them, is then kept out with a probability of at most ``error``, however good the detector is.
It says nothing of items from elsewhere, such as those of a generator that validation has not seen.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from realframe.statistics.arrays import Bools, Floats

Verdict = Literal["real", "ai-generated", "uncertain"]


@dataclass(frozen=True)
class Band:
    """Where no verdict is given.

    Attributes:
        low: a calibrated probability below it is called ``real``.
        high: one above it is called ``ai-generated``.
        error: the share of each class that a verdict other than ``uncertain`` gets wrong, at most and on average.
    """

    low: float
    high: float
    error: float

    def verdict(self, probability: float) -> Verdict:
        """Return the verdict on a calibrated probability of ``fake``: ``uncertain`` where both classes fit, or neither."""
        if probability < self.low:
            return "real"
        return "ai-generated" if probability > self.high else "uncertain"


def fit(fake: Bools, probabilities: Floats, error: float) -> Band:
    """Return the band of the validation items.

    Of n items no error below 1 / (n + 1) can be stated: where a class has fewer than 1 / error - 1 of them, the band states the smallest
    one that it can. Where a class is missing nothing can be stated: every verdict is ``uncertain``.

    Args:
        fake: (n,) truth of the validation items.
        probabilities: (n,) their calibrated probabilities of ``fake``.
        error: the share of each class that may be wrong, above 0 and below 1.
    """
    stated = max(error, *(1 / (int(rows.sum()) + 1) for rows in (fake, ~fake)))
    if stated >= 1:
        return Band(0.0, 1.0, 1.0)
    highest_real = _quantile(probabilities[~fake], stated)
    lowest_fake = -_quantile(-probabilities[fake], stated)
    if lowest_fake <= highest_real:  # between them either class fits
        return Band(lowest_fake, highest_real, stated)
    # between them neither class fits; each end itself still fits its class
    low, high = np.nextafter(highest_real, 1.0), np.nextafter(lowest_fake, 0.0)
    return Band(float(min(low, high)), float(max(low, high)), stated)


def _quantile(oddness: Floats, error: float) -> float:
    """The ceil((n + 1)(1 - error))-th smallest: a further item is odder with a probability of at most ``error``."""
    rank = int(np.ceil((len(oddness) + 1) * (1 - error) - 1e-9))  # (n + 1)(1 - 1 / (n + 1)) is n, whatever floats say
    return float(np.sort(oddness)[max(rank, 1) - 1])
