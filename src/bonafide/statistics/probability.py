"""Figures of probabilities: not only who ranks above whom, but whether what is called 90 % likely comes true nine times of ten."""

import numpy as np

from bonafide.statistics.arrays import Bools, Floats, ratio
from bonafide.statistics.calibration import BINS, bin_of

NAMES = ("log_loss", "ece", "brier")
"""Of these, lower is better."""
_EDGE = np.finfo(np.float64).eps  # scikit-learn's: a sure mistake costs 36, not infinity


def figures(fake: Bools, probabilities: Floats, weights: Floats) -> dict[str, Floats]:
    """Return each figure of ``NAMES``, (resamples,), 0 at best.

    Log loss in nats; Brier score (Monthly Weather Review 78, 1950) as the mean squared error; ECE (Guo et al. 2017) over 15 bins of equal
    width of the probability of ``fake``: the mean distance between the probability and the share of fake in a bin, each item counting
    once.

    Args:
        fake: (n,) truth.
        probabilities: (n,) of ``fake``, in [0, 1].
        weights: (resamples, n).
    """
    every = weights.sum(axis=1)
    inside = np.clip(probabilities, _EDGE, 1 - _EDGE)
    surprise = -np.where(fake, np.log(inside), np.log1p(-inside))
    binned = np.eye(BINS)[bin_of(probabilities)]  # (n, BINS)
    gaps = np.abs(weights @ (binned * (probabilities - fake)[:, None])).sum(axis=1)
    return {
        "log_loss": ratio(weights @ surprise, every),
        "ece": ratio(gaps, every),
        "brier": ratio(weights @ (probabilities - fake) ** 2, every),
    }
