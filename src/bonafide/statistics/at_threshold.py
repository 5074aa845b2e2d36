"""Figures of verdicts: what is called fake at a threshold, beside what is fake. The definitions are scikit-learn's."""

import numpy as np

from bonafide.statistics.arrays import Bools, Floats, ratio

NAMES = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")


def figures(fake: Bools, called: Bools, weights: Floats) -> dict[str, Floats]:
    """Return each figure of ``NAMES``, (resamples,).

    Precision, F1 and MCC (Matthews, Biochim. Biophys. Acta 405, 1975; in [-1, 1]) are 0 where nothing, or all, is called fake.

    Args:
        fake: (n,) truth.
        called: (n,) verdict.
        weights: (resamples, n).
    """
    fakes, reals = weights @ fake, weights @ ~fake
    hits, alarms = weights @ (fake & called), weights @ (~fake & called)
    rejections, misses = reals - alarms, fakes - hits
    recall = ratio(hits, fakes)
    return {
        "accuracy": ratio(hits + rejections, fakes + reals),
        "balanced_accuracy": (recall + ratio(rejections, reals)) / 2,
        "precision": ratio(hits, hits + alarms, empty=0.0),
        "recall": recall,
        "f1": ratio(2 * hits, fakes + hits + alarms, empty=0.0),
        "mcc": _mcc(hits, alarms, rejections, misses),
    }


def confusion(fake: Bools, scores: Floats, threshold: float) -> dict[str, int]:
    """Return the four counts of the confusion matrix, named by truth and verdict."""
    called = scores >= threshold
    return {
        "real_called_real": int((~fake & ~called).sum()),
        "real_called_fake": int((~fake & called).sum()),
        "fake_called_real": int((fake & ~called).sum()),
        "fake_called_fake": int((fake & called).sum()),
    }


def _mcc(hits: Floats, alarms: Floats, rejections: Floats, misses: Floats) -> Floats:
    fakes, reals = hits + misses, alarms + rejections
    margins = np.sqrt((hits + alarms) * (rejections + misses)) * np.sqrt(fakes * reals)
    return np.where((fakes > 0) & (reals > 0), ratio(hits * rejections - alarms * misses, margins, empty=0.0), np.nan)
