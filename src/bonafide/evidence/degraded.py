"""Robustness: what recompression, blur, scaling, cropping and noise cost, each beside the same items as they are."""

import pandas as pd

from bonafide.evidence.level import Figures, Level
from bonafide.statistics.paired import Scored

NONE = "none"
_SCORE, _AS_IS = "score", "as_is"
_FIGURES = ("roc_auc", "balanced_accuracy")


def measure(rows: pd.DataFrame | None, at: float, resamples: int, seed: int) -> Figures | None:
    """Return ``robustness`` as in ``metrics.json``; None where nothing was measured.

    ``none``: the items as they are. ``curves``: for each perturbation its levels in order, with ``roc_auc``, ``balanced_accuracy`` at the
    model's threshold, and ``drop`` and ``drop_balanced_accuracy``: by how much either is lower than on the same items as they are,
    paired. ``worst``: the largest drop of the ROC-AUC.

    Args:
        rows: of ``robustness.parquet``, or None.
        at: the model's threshold.
        resamples: of the intervals.
        seed: of the resamples.
    """
    if rows is None or rows.empty:
        return None
    plain = rows[rows["perturbation"] == NONE]
    as_is = plain.set_index("media_id")[_SCORE]
    degraded = rows[rows["perturbation"] != NONE].assign(**{_AS_IS: lambda table: table["media_id"].map(as_is)})
    curves: dict[str, list[Figures]] = {}
    for (perturbation, strength), part in degraded.groupby(["perturbation", "level"]):  # type: ignore[misc]
        point = _point(Level(part.reset_index(drop=True), resamples, seed), at)
        curves.setdefault(str(perturbation), []).append({"level": float(strength), **point})  # type: ignore[arg-type]
    return {NONE: _at(Level(plain.reset_index(drop=True), resamples, seed), at), "curves": curves, "worst": _worst(curves)}


def _at(level: Level, at: float) -> Figures:
    summary = level.figures(_SCORE, at)
    return {**level.counts, **{name: summary[name] for name in _FIGURES}, **level.too_few()}


def _point(level: Level, at: float) -> Figures:
    before, after = (Scored(level.scores(column), at) for column in (_AS_IS, _SCORE))
    drops = {"drop": level.less(before, after, "roc_auc"), "drop_balanced_accuracy": level.less(before, after, "balanced_accuracy")}
    return _at(level, at) | drops


def _worst(curves: dict[str, list[Figures]]) -> Figures | None:
    points = [{"perturbation": name, "level": point["level"], "drop": point["drop"]} for name, curve in curves.items() for point in curve]
    known = [point for point in points if point["drop"]["value"] is not None]
    return max(known, key=lambda point: point["drop"]["value"], default=None)
