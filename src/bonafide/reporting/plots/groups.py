"""How the detector does on parts of the data: generators that it knows, and generators that it has never seen."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bonafide.reporting.plots.drawing import BLUE, GREY, INK, ORANGE, sheet
from bonafide.reporting.words import percent

_LONGEST = 20  # letters of a name
_SOFT = "#6B7280"


def generators(rows: list[dict[str, Any]]) -> Figure:
    """Draw the share of each generator's items that is found, with its interval; those with too few items as an outline.

    Args:
        rows: the slices ``generator`` of ``metrics.json``.
    """
    figure, (axes,) = sheet(5.2, 1.2 + 0.42 * max(1, len(rows)))
    for place, row in enumerate(reversed(rows)):
        share = row["right"]
        if "too_few" in row:
            axes.barh(place, share["value"], color="none", edgecolor=GREY, ls="--", height=0.62)
            axes.text(
                1.02, place, f"{round(share['value'] * row['fake'])} of {row['fake']}: too few", va="center", color=_SOFT, fontsize=10
            )
            continue
        error = np.abs([[share["value"] - share["low"]], [share["high"] - share["value"]]])
        axes.barh(place, share["value"], color=BLUE, alpha=0.8, height=0.62, xerr=error, ecolor=INK, capsize=3)
        axes.text(1.02, place, f"{percent(share['value'])} of {row['fake']}", va="center", fontsize=10)
    _named(axes, [row["name"] for row in rows])
    axes.set(xlabel="share of its items that is found", xlim=(0, 1))
    return figure


def unseen(rows: list[dict[str, Any]]) -> Figure:
    """Draw the ROC-AUC on each generator by the detector that was trained without it.

    Args:
        rows: ``held_out.generators`` of ``metrics.json``.
    """
    figure, (axes,) = sheet(9, 1.3 + 0.42 * max(1, len(rows)))
    for place, row in enumerate(reversed(rows)):
        area = row["roc_auc"]
        sure = area["low"] is not None
        if sure:
            axes.plot([area["low"], area["high"]], [place, place], color=ORANGE, lw=5, alpha=0.35, solid_capstyle="round")
        axes.plot(area["value"], place, "o", color=ORANGE if sure else "white", mec=ORANGE if sure else GREY, ms=9)
        said = f"{area['value']:.2f}, {row['fake']} items" + ("" if sure else ": too few")
        axes.text(1.02, place, said, va="center", color=INK if sure else _SOFT, fontsize=10)
    axes.axvline(0.5, color=GREY, ls="--", lw=1.2)
    _named(axes, [row["name"] for row in rows])
    axes.set(xlabel="ROC-AUC on a generator kept out of training (0.5 is guessing)", xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4))
    return figure


def _named(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in reversed(names)])
    axes.grid(visible=False, axis="y")
