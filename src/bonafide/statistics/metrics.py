"""Figures of merit at a threshold and over all thresholds, for many weightings of the same items at once.

A bootstrap resample is nothing but a weight per cluster of items, the number of times that it was drawn, so that all resamples cost
a few matrix products instead of a loop. The positive class is ``fake``. The definitions are scikit-learn's, and the tests hold
them against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

THRESHOLDED = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
RANKING = ("roc_auc", "pr_auc")
METRICS = (*RANKING, *THRESHOLDED)
_BLOCK = 8_000_000  # weights held at once, 64 MB


@dataclass(frozen=True)
class Draws:
    """Resamples of clusters.

    Attributes:
        times: (resamples, clusters), how often each was drawn.
        cluster: (n,) the column of each row in ``times``.
    """

    times: Floats
    cluster: Ints

    def blocks(self) -> Iterator[Floats]:
        """Yield the weights of the rows, (some resamples, n) at a time, in bounded memory."""
        step = max(1, _BLOCK // max(1, len(self.cluster)))
        for start in range(0, len(self.times), step):
            yield self.times[start : start + step, self.cluster]


def figures(fake: Bools, scores: Floats, threshold: float, draws: Draws | None = None) -> dict[str, Floats]:
    """Return every figure of ``METRICS``, each of shape (resamples,), in [0, 1]; NaN where a class is missing.

    Args:
        fake: (n,) truth.
        scores: (n,) probabilities of ``fake``.
        threshold: a score at or above it is called fake.
        draws: resamples; without them the figures are those of the rows as they are, of shape (1,).
    """
    blocks = draws.blocks() if draws else [np.ones((1, len(fake)))]
    parts = [_at_threshold(fake, scores >= threshold, block) | _over_thresholds(fake, scores, block) for block in blocks]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def confusion(fake: Bools, scores: Floats, threshold: float) -> dict[str, int]:
    """Return the four counts of the confusion matrix, named by truth and verdict."""
    called = scores >= threshold
    return {
        "real_called_real": int((~fake & ~called).sum()),
        "real_called_fake": int((~fake & called).sum()),
        "fake_called_real": int((fake & ~called).sum()),
        "fake_called_fake": int((fake & called).sum()),
    }


def _at_threshold(fake: Bools, called: Bools, weights: Floats) -> dict[str, Floats]:
    """scikit-learn's definitions; precision and F1 are 0 where nothing is called fake."""
    fakes, reals = weights @ fake, weights @ ~fake
    hits, alarms = weights @ (fake & called), weights @ (~fake & called)
    rejections = reals - alarms
    recall = _ratio(hits, fakes)
    return {
        "accuracy": _ratio(hits + rejections, fakes + reals),
        "balanced_accuracy": (recall + _ratio(rejections, reals)) / 2,
        "precision": _ratio(hits, hits + alarms, empty=0.0),
        "recall": recall,
        "f1": _ratio(2 * hits, fakes + hits + alarms, empty=0.0),
    }


def _over_thresholds(fake: Bools, scores: Floats, weights: Floats) -> dict[str, Floats]:
    """ROC-AUC as the Mann-Whitney statistic (ties count half; Hanley & McNeil 1982), PR-AUC as average precision."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # equal scores are one threshold
    weights = weights[:, order]
    fakes = np.add.reduceat(weights * fake[order], starts, axis=1)
    reals = np.add.reduceat(weights * ~fake[order], starts, axis=1)
    fakes_above, reals_above = np.cumsum(fakes, axis=1), np.cumsum(reals, axis=1)
    all_fakes, all_reals = fakes_above[:, -1], reals_above[:, -1]
    ranked = (fakes * (all_reals[:, None] - reals_above + reals / 2)).sum(axis=1)
    precision = _ratio(fakes_above, fakes_above + reals_above, empty=0.0)
    return {"roc_auc": _ratio(ranked, all_fakes * all_reals), "pr_auc": _ratio((fakes * precision).sum(axis=1), all_fakes)}


def _ratio(part: Floats, whole: Floats, empty: float = np.nan) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, empty, dtype=np.float64), where=whole > 0)
