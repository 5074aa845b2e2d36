"""Classification metrics for many weightings of the same items at once, and the choice of the decision threshold.

A bootstrap resample is a weight per cluster of items, the number of times that it was drawn, so that all resamples cost a few matrix
products instead of a loop. The positive class is ``fake``. The definitions are those of scikit-learn, and the tests compare with it.

Ranking metrics depend on the order of the scores, threshold metrics on the predictions at a threshold, and probability metrics on
whether events that are called 90 % likely happen nine times out of ten.
"""

import numpy as np

from realframe.statistics.arrays import Bools, Floats, divide_safe
from realframe.statistics.bootstrap import Resamples
from realframe.statistics.calibration import BINS, bin_indices

RANKING_METRICS = ("roc_auc", "pr_auc", "eer")
THRESHOLD_METRICS = ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "mcc")
PROBABILITY_METRICS = ("log_loss", "ece", "brier")
"""For these, lower is better."""
METRICS = (*RANKING_METRICS, *THRESHOLD_METRICS, *PROBABILITY_METRICS)
DEFAULT_THRESHOLD = 0.5
_EPSILON = np.finfo(np.float64).eps  # scikit-learn's: a wrong prediction that was certain costs 36, not infinity


def compute_metrics(
    is_fake: Bools, scores: Floats, threshold: float, resamples: Resamples | None = None, probabilities: Floats | None = None
) -> dict[str, Floats]:
    """Return every metric of ``METRICS``, each of shape (resamples,); NaN if it needs both classes and one is missing.

    Args:
        is_fake: (n,) true labels.
        scores: (n,) that rank the items and are compared with the threshold.
        threshold: a score at or above it is predicted fake.
        resamples: without them the metrics are those of the rows as they are, of shape (1,).
        probabilities: (n,) of ``fake``, for the probability metrics; by default the scores.
    """
    blocks = resamples.iter_row_weights() if resamples else [np.ones((1, len(is_fake)))]
    fake_probabilities = scores if probabilities is None else probabilities
    parts = [
        compute_ranking_metrics(is_fake, scores, weights)
        | compute_threshold_metrics(is_fake, scores >= threshold, weights)
        | compute_probability_metrics(is_fake, fake_probabilities, weights)
        for weights in blocks
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}


def compute_ranking_metrics(is_fake: Bools, scores: Floats, weights: Floats) -> dict[str, Floats]:
    """Return each metric of ``RANKING_METRICS``, (resamples,); NaN if a class is missing.

    ROC-AUC is the Mann-Whitney statistic (ties count half; Hanley & McNeil 1982), PR-AUC the average precision. EER is the false
    positive rate at the threshold at which it equals the false negative rate; between neighboring scores the ROC curve is a line.

    Args:
        is_fake: (n,) true labels.
        scores: (n,) the higher, the likelier fake.
        weights: (resamples, n).
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # equal scores are one threshold
    weights = weights[:, order]
    fakes = np.add.reduceat(weights * is_fake[order], starts, axis=1)
    reals = np.add.reduceat(weights * ~is_fake[order], starts, axis=1)
    true_positives, false_positives = np.cumsum(fakes, axis=1), np.cumsum(reals, axis=1)
    all_fakes, all_reals = true_positives[:, -1:], false_positives[:, -1:]
    correctly_ranked = (fakes * (all_reals - false_positives + reals / 2)).sum(axis=1)
    precision = divide_safe(true_positives, true_positives + false_positives, default=0.0)
    true_positive_rate, false_positive_rate = divide_safe(true_positives, all_fakes), divide_safe(false_positives, all_reals)
    return {
        "roc_auc": divide_safe(correctly_ranked, (all_fakes * all_reals)[:, 0]),
        "pr_auc": divide_safe((fakes * precision).sum(axis=1), all_fakes[:, 0]),
        "eer": _equal_error_rate(true_positive_rate, false_positive_rate),
    }


def compute_recalls_at(is_fake: Bools, scores: Floats, weights: Floats, rate: float) -> Floats:
    """Return the recall at the lowest threshold with at most a share ``rate`` of false positives, (resamples,); NaN if a class is missing.

    Args:
        is_fake: (n,) true labels.
        scores: (n,) the higher, the likelier fake.
        weights: (resamples, n).
        rate: share of the real items, 0 to 1.
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])  # equal scores are one threshold
    ends = np.r_[starts[1:], len(scores)] - 1
    weights = weights[:, order]
    true_positives, false_positives = (np.cumsum(weights * rows[order], axis=1)[:, ends] for rows in (is_fake, ~is_fake))
    fakes, reals = true_positives[:, -1], false_positives[:, -1]
    is_allowed = false_positives <= rate * reals[:, None] + 1e-9
    recall = divide_safe((true_positives * is_allowed).max(axis=1), fakes)
    return np.where(reals > 0, recall, np.nan)


def _equal_error_rate(true_positive_rate: Floats, false_positive_rate: Floats) -> Floats:
    """Return where the line through the points of each ROC curve, (resamples, thresholds), meets the diagonal of equal errors."""
    excess = false_positive_rate + true_positive_rate - 1  # FPR less FNR: rises from -1 (no item predicted fake) to 1 (all)
    after = np.argmax(excess >= -1e-12, axis=1)[:, None]  # the first point at or beyond the diagonal, despite rounding
    excess_after, rate_after = (np.take_along_axis(points, after, axis=1)[:, 0] for points in (excess, false_positive_rate))
    is_first = after[:, 0] == 0
    before = np.maximum(after - 1, 0)
    excess_before = np.where(is_first, -1.0, np.take_along_axis(excess, before, axis=1)[:, 0])
    rate_before = np.where(is_first, 0.0, np.take_along_axis(false_positive_rate, before, axis=1)[:, 0])
    return rate_before - excess_before * (rate_after - rate_before) / (excess_after - excess_before)


def compute_threshold_metrics(is_fake: Bools, predicted_fake: Bools, weights: Floats) -> dict[str, Floats]:
    """Return each metric of ``THRESHOLD_METRICS``, (resamples,).

    Precision, F1 and MCC (Matthews, Biochim. Biophys. Acta 405, 1975; in [-1, 1]) are 0 if no item, or every item, is predicted fake.

    Args:
        is_fake: (n,) true labels.
        predicted_fake: (n,) predicted labels.
        weights: (resamples, n).
    """
    fakes, reals = weights @ is_fake, weights @ ~is_fake
    true_positives, false_positives = weights @ (is_fake & predicted_fake), weights @ (~is_fake & predicted_fake)
    true_negatives, false_negatives = reals - false_positives, fakes - true_positives
    recall = divide_safe(true_positives, fakes)
    return {
        "accuracy": divide_safe(true_positives + true_negatives, fakes + reals),
        "balanced_accuracy": (recall + divide_safe(true_negatives, reals)) / 2,
        "precision": divide_safe(true_positives, true_positives + false_positives, default=0.0),
        "recall": recall,
        "f1": divide_safe(2 * true_positives, fakes + true_positives + false_positives, default=0.0),
        "mcc": _mcc(true_positives, false_positives, true_negatives, false_negatives),
    }


def _mcc(true_positives: Floats, false_positives: Floats, true_negatives: Floats, false_negatives: Floats) -> Floats:
    fakes, reals = true_positives + false_negatives, false_positives + true_negatives
    margins = np.sqrt((true_positives + false_positives) * (true_negatives + false_negatives)) * np.sqrt(fakes * reals)
    numerator = true_positives * true_negatives - false_positives * false_negatives
    return np.where((fakes > 0) & (reals > 0), divide_safe(numerator, margins, default=0.0), np.nan)


def compute_probability_metrics(is_fake: Bools, probabilities: Floats, weights: Floats) -> dict[str, Floats]:
    """Return each metric of ``PROBABILITY_METRICS``, (resamples,), 0 at best.

    Log loss in nats; Brier score (Monthly Weather Review 78, 1950) as the mean squared error; ECE (Guo et al. 2017) over 15 bins of
    equal width of the probability of ``fake``: the mean distance between the probability and the share of fakes in a bin, each item
    counted once.

    Args:
        is_fake: (n,) true labels.
        probabilities: (n,) of ``fake``, in [0, 1].
        weights: (resamples, n).
    """
    totals = weights.sum(axis=1)
    clipped = np.clip(probabilities, _EPSILON, 1 - _EPSILON)
    losses = -np.where(is_fake, np.log(clipped), np.log1p(-clipped))
    bin_members = np.eye(BINS)[bin_indices(probabilities)]  # (n, BINS)
    gaps = np.abs(weights @ (bin_members * (probabilities - is_fake)[:, None])).sum(axis=1)
    return {
        "log_loss": divide_safe(weights @ losses, totals),
        "ece": divide_safe(gaps, totals),
        "brier": divide_safe(weights @ (probabilities - is_fake) ** 2, totals),
    }


def count_confusion(is_fake: Bools, scores: Floats, threshold: float) -> dict[str, int]:
    """Return the four counts of the confusion matrix, named by true and predicted label."""
    predicted_fake = scores >= threshold
    return {
        "real_called_real": int((~is_fake & ~predicted_fake).sum()),
        "real_called_fake": int((~is_fake & predicted_fake).sum()),
        "fake_called_real": int((is_fake & ~predicted_fake).sum()),
        "fake_called_fake": int((is_fake & predicted_fake).sum()),
    }


def choose_threshold(is_fake: Bools, scores: Floats) -> float:
    """Return the threshold with the best balanced accuracy (Youden's J, Cancer 3, 1950), in [0, 1]; use validation items only.

    Candidates are 0.5 and the midpoints between neighboring scores, 0 and 1 being the outermost. Of equally good candidates the one
    nearest to 0.5 wins, so that a few validation items do not move it without need. If a class is missing the result is 0.5.

    Args:
        is_fake: (n,) true labels of the validation items.
        scores: (n,) their probabilities of ``fake``.
    """
    if is_fake.all() or not is_fake.any():
        return DEFAULT_THRESHOLD
    levels = np.r_[0.0, np.unique(scores), 1.0]
    candidates = np.unique(np.r_[DEFAULT_THRESHOLD, (levels[1:] + levels[:-1]) / 2])
    fakes, reals = np.sort(scores[is_fake]), np.sort(scores[~is_fake])
    recall = 1 - np.searchsorted(fakes, candidates, side="left") / len(fakes)
    specificity = np.searchsorted(reals, candidates, side="left") / len(reals)
    quality = np.round(recall + specificity, 12)
    best = candidates[quality == quality.max()]
    return float(best[np.argmin(np.abs(best - DEFAULT_THRESHOLD))])
