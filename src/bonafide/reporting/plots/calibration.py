"""Are the probabilities true? Reliability diagrams before and after calibration."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bonafide.reporting.plots.drawing import BLUE, GREY, ORANGE, sheet

_DOT = 26.0  # area of a dot per square root of an item


def reliability(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Figure:
    """Draw, bin by bin, the share of items that is fake over their mean probability; larger dots hold more items.

    Args:
        before: the bins of the raw scores: ``items``, ``mean``, ``fake``.
        after: those of the calibrated probabilities.
    """
    figure, panels = sheet(9, 4.2, columns=2)
    for axes, bins, colour, title in zip(panels, (before, after), (ORANGE, BLUE), ("before", "after calibration"), strict=True):
        filled = [row for row in bins if row["items"]]
        axes.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="true probabilities")
        means, shares, items = (np.array([row[name] for row in filled], float) for name in ("mean", "fake", "items"))
        axes.scatter(means, shares, s=_DOT * np.sqrt(items), color=colour, alpha=0.75, ec="white")
        axes.set(xlabel="said: probability of AI-generated", title=title, xlim=(-0.02, 1.02), ylim=(-0.04, 1.04))
    panels[0].set_ylabel("was: share AI-generated")
    panels[0].legend(loc="upper left")
    return figure
