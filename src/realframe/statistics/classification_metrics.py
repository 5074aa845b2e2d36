"""Figures of verdicts: what is called fake at a threshold, beside what is fake. The definitions are scikit-learn's.

Figures over all thresholds: how well the scores put fake above real.

Figures of probabilities: not only who ranks above whom, but whether what is called 90 % likely comes true nine times of ten.

All figures of merit, for many weightings of the same items at once.

A bootstrap resample is nothing but a weight per cluster of items, the number of times that it was drawn, so that all resamples cost
a few matrix products instead of a loop. The positive class is ``fake``. The definitions are scikit-learn's, and the tests hold
them against it.

The score from which an item is called fake, chosen on the validation split and on nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from realframe.statistics.arrays import Bools, Floats, Ints, ratio
from realframe.statistics.calibration import BINS, bin_of

THRESHOLD_METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")


def threshold_metrics(fake: Bools, called: Bools, weights: Floats) -> dict[str, Floats]:
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


RANKING_METRICS = ("roc_auc", "pr_auc", "eer")


def ranking_metrics(fake: Bools, scores: Floats, weights: Floats) -> dict[str, Floats]:
    """Return each figure of ``NAMES``, (resamples,); NaN where a class is missing.

    ROC-AUC is the Mann-Whitney statistic (ties count half; Hanley & McNeil 1982), PR-AUC the average precision. EER is the share of
    false alarms at the threshold at which it is also the share of misses, where the ROC is a line between neighbouring scores.

    Args:
        fake: (n,) truth.
        scores: (n,) the higher, the likelier fake.
        weights: (resamples, n).
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # equal scores are one threshold
    weights = weights[:, order]
    fakes = np.add.reduceat(weights * fake[order], starts, axis=1)
    reals = np.add.reduceat(weights * ~fake[order], starts, axis=1)
    fakes_above, reals_above = np.cumsum(fakes, axis=1), np.cumsum(reals, axis=1)
    all_fakes, all_reals = fakes_above[:, -1:], reals_above[:, -1:]
    ranked = (fakes * (all_reals - reals_above + reals / 2)).sum(axis=1)
    precision = ratio(fakes_above, fakes_above + reals_above, empty=0.0)
    found, alarms = ratio(fakes_above, all_fakes), ratio(reals_above, all_reals)
    return {
        "roc_auc": ratio(ranked, (all_fakes * all_reals)[:, 0]),
        "pr_auc": ratio((fakes * precision).sum(axis=1), all_fakes[:, 0]),
        "eer": _equal_error(found, alarms),
    }


def _equal_error(found: Floats, alarms: Floats) -> Floats:
    """Where the line through the points of each ROC, (resamples, thresholds), meets the diagonal of equal errors."""
    surplus = alarms + found - 1  # false alarms less misses: grows from -1 (nothing is called fake) to 1 (all is)
    after = np.argmax(surplus >= -1e-12, axis=1)[:, None]  # the first point at or beyond the diagonal, whatever rounding says
    there, alarms_there = (np.take_along_axis(points, after, axis=1)[:, 0] for points in (surplus, alarms))
    first = after[:, 0] == 0
    here = np.where(first, -1.0, np.take_along_axis(surplus, np.maximum(after - 1, 0), axis=1)[:, 0])
    alarms_here = np.where(first, 0.0, np.take_along_axis(alarms, np.maximum(after - 1, 0), axis=1)[:, 0])
    return alarms_here - here * (alarms_there - alarms_here) / (there - here)


PROBABILITY_METRICS = ("log_loss", "ece", "brier")
"""Of these, lower is better."""
_EDGE = np.finfo(np.float64).eps  # scikit-learn's: a sure mistake costs 36, not infinity


def probability_metrics(fake: Bools, probabilities: Floats, weights: Floats) -> dict[str, Floats]:
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


METRICS = (*RANKING_METRICS, *THRESHOLD_METRICS, *PROBABILITY_METRICS)
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


def all_metrics(
    fake: Bools, scores: Floats, threshold: float, draws: Draws | None = None, probabilities: Floats | None = None
) -> dict[str, Floats]:
    """Return every figure of ``METRICS``, each of shape (resamples,); NaN where it needs both classes and one is missing.

    Args:
        fake: (n,) truth.
        scores: (n,) what ranks the items and is held against the threshold.
        threshold: a score at or above it is called fake.
        draws: resamples; without them the figures are those of the rows as they are, of shape (1,).
        probabilities: (n,) of ``fake``, for the figures of probabilities; without them the scores are taken for probabilities.
    """
    blocks = draws.blocks() if draws else [np.ones((1, len(fake)))]
    sure = scores if probabilities is None else probabilities
    parts = [
        ranking_metrics(fake, scores, block) | threshold_metrics(fake, scores >= threshold, block) | probability_metrics(fake, sure, block)
        for block in blocks
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


DEFAULT_THRESHOLD = 0.5


def choose_threshold(fake: Bools, scores: Floats) -> float:
    """Return the threshold of the best balanced accuracy (Youden's J, Cancer 3, 1950), in [0, 1].

    Candidates are 0.5 and the midpoints between neighbouring scores, 0 and 1 being the outermost; of equally good ones the one nearest
    to 0.5 wins, so that a few validation items don't move it without need. Where a class is missing it is 0.5.

    Args:
        fake: (n,) truth of the validation items.
        scores: (n,) their probabilities of ``fake``.
    """
    if fake.all() or not fake.any():
        return DEFAULT_THRESHOLD
    levels = np.r_[0.0, np.unique(scores), 1.0]
    candidates = np.unique(np.r_[DEFAULT_THRESHOLD, (levels[1:] + levels[:-1]) / 2])
    fakes, reals = np.sort(scores[fake]), np.sort(scores[~fake])
    recall = 1 - np.searchsorted(fakes, candidates, side="left") / len(fakes)
    specificity = np.searchsorted(reals, candidates, side="left") / len(reals)
    quality = np.round(recall + specificity, 12)
    best = candidates[quality == quality.max()]
    return float(best[np.argmin(np.abs(best - DEFAULT_THRESHOLD))])
