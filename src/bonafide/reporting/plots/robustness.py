"""What happens to the detector when files are recompressed, blurred, scaled, cropped or noisy."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bonafide.reporting.plots.drawing import BLUE, GREY, figure_of
from bonafide.reporting.words import PERTURBATION_WORDS

_STRONGER_BELOW = ("jpeg", "downscale", "crop")  # a lower level of these changes more
_COLUMNS = 3


def curves(found: dict[str, Any]) -> Figure:
    """Draw the ROC-AUC over the strength of each change, with its interval; the same items untouched stand at the left and as a line.

    Args:
        found: ``robustness`` of ``metrics.json``.
    """
    names = [name for name in PERTURBATION_WORDS if name in found["curves"]]
    figure, panels = figure_of(9, 2.9 * -(-len(names) // _COLUMNS), -(-len(names) // _COLUMNS), _COLUMNS)
    for panel, name in zip(panels, names, strict=False):
        _curve(panel, name, found["curves"][name], _as_is(found["curves"][name][0], found["none"]))
    for panel in panels[len(names) :]:
        panel.axis("off")
    return figure


def _as_is(point: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """The ROC-AUC before the change, of the same items: a change of whole videos leaves out the images, and has no interval of its own."""
    if all(point[label] == plain[label] for label in ("real", "fake")):
        return dict(plain["roc_auc"])
    before = None if point["drop"]["value"] is None else point["roc_auc"]["value"] + point["drop"]["value"]
    return {"value": before, "low": None, "high": None}


def _curve(axes: Axes, name: str, points: list[dict[str, Any]], plain: dict[str, Any]) -> None:
    title, unit = PERTURBATION_WORDS[name]
    ordered = sorted(points, key=lambda point: point["level"], reverse=name in _STRONGER_BELOW)
    areas = [plain, *(point["roc_auc"] for point in ordered)]
    places = np.arange(len(areas))
    low, high = (np.array([np.nan if area[end] is None else area[end] for area in areas], float) for end in ("low", "high"))
    if plain["value"] is not None:
        axes.axhline(plain["value"], color=GREY, ls="--", lw=1.2)
    axes.fill_between(places, low, high, color=BLUE, alpha=0.18, lw=0)
    values = np.array([np.nan if area["value"] is None else area["value"] for area in areas], float)
    axes.plot(places, values, color=BLUE, lw=2, marker="o", ms=4.5)
    axes.set_xticks(places, ["as is", *(f"{point['level']:g}" for point in ordered)])
    axes.set(title=title, xlabel=unit, ylim=(0.4, 1.02))
