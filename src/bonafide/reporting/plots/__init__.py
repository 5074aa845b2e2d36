"""The pictures of the evidence, one module per question that they answer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from bonafide.evidence.assemble import FLOOR, MODEL
from bonafide.reporting.evidence import Evidence
from bonafide.reporting.plots import calibration, calls, groups, learning, ranking, robustness
from bonafide.reporting.plots.drawing import STYLE, save

__all__ = ["draw_all", "save"]


def draw_all(folder: Path, evidence: Evidence, history: pd.DataFrame) -> dict[str, Path]:
    """Draw every picture of a report into ``folder`` and return their paths by name; what was not measured is not drawn.

    Args:
        folder: ``reports/figures``.
        evidence: the facts.
        history: the rows of ``models/history.csv``.
    """
    items, metrics = evidence.items, evidence.metrics
    fake, at = (items["label"] == "fake").to_numpy(), float(metrics["threshold"])
    model, floor = items[MODEL].to_numpy(np.float64), items[FLOOR].to_numpy(np.float64)
    before, after = (metrics["calibration"][side]["bins"] for side in ("before", "after"))
    pictures: dict[str, Callable[[], Figure]] = {
        "roc": lambda: ranking.roc(fake, model, floor, at),
        "precision_recall": lambda: ranking.precision_recall(fake, model, floor),
        "confusion": lambda: calls.confusion_matrix(metrics["test"]["item"]["confusion"]),
        "scores": lambda: calls.score_histogram(fake, model, at),
        "verdicts": lambda: calls.verdicts(metrics["verdicts"]),
        "training": lambda: learning.training_curves(history),
        "reliability": lambda: calibration.reliability(before, after),
        "generators": lambda: groups.generators(metrics["slices"]["generator"]),
    }
    if metrics["held_out"]:
        pictures["unseen"] = lambda: groups.unseen(metrics["held_out"]["generators"])
    if metrics["robustness"]:
        pictures["robustness"] = lambda: robustness.curves(metrics["robustness"])
    with rc_context(STYLE):
        return {name: save(draw(), folder / f"{name}.png") for name, draw in pictures.items()}
