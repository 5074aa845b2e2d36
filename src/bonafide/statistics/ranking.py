"""Figures over all thresholds: how well the scores put fake above real."""

import numpy as np

from bonafide.statistics.arrays import Bools, Floats, ratio

NAMES = ("roc_auc", "pr_auc", "eer")


def figures(fake: Bools, scores: Floats, weights: Floats) -> dict[str, Floats]:
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
