"""The score from which an item is called fake, chosen on the validation split and on nothing else."""

import numpy as np

from bonafide.statistics.arrays import Bools, Floats

DEFAULT = 0.5


def choose(fake: Bools, scores: Floats) -> float:
    """Return the threshold of the best balanced accuracy (Youden's J, Cancer 3, 1950), in [0, 1].

    Candidates are 0.5 and the midpoints between neighbouring scores, 0 and 1 being the outermost; of equally good ones the one nearest
    to 0.5 wins, so that a few validation items don't move it without need. Where a class is missing it is 0.5.

    Args:
        fake: (n,) truth of the validation items.
        scores: (n,) their probabilities of ``fake``.
    """
    if fake.all() or not fake.any():
        return DEFAULT
    levels = np.r_[0.0, np.unique(scores), 1.0]
    candidates = np.unique(np.r_[DEFAULT, (levels[1:] + levels[:-1]) / 2])
    fakes, reals = np.sort(scores[fake]), np.sort(scores[~fake])
    recall = 1 - np.searchsorted(fakes, candidates, side="left") / len(fakes)
    specificity = np.searchsorted(reals, candidates, side="left") / len(reals)
    quality = np.round(recall + specificity, 12)
    best = candidates[quality == quality.max()]
    return float(best[np.argmin(np.abs(best - DEFAULT))])
