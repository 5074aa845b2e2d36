"""Paper and ink of the pictures: light, readable in print and on a phone, colours that also the colour-blind tell apart (Okabe & Ito).

Are the probabilities true? Reliability diagrams before and after calibration.

What the detector calls the items: the confusion matrix, and the scores that it rests on.

How the detector does on parts of the data: generators that it knows, and generators that it has never seen.

How the training went, epoch by epoch.

How well the detector ranks: ROC and precision-recall curves, the baseline beside it.

What happens to the detector when files are recompressed, blurred, scaled, cropped or noisy.

The pictures of the evidence, one module per question that they answer.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from sklearn.metrics import precision_recall_curve, roc_curve

from realframe.evaluation.figures import BASELINE, MODEL
from realframe.files import atomic_path
from realframe.presentation.formatting import PERTURBATION_WORDS, percent
from realframe.reports.report_data import ReportData
from realframe.statistics.arrays import Bools, Floats

BLUE, ORANGE, GREEN, GREY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#1F2933"
STYLE: Any = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9AA1AB",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E8EB",
    "legend.frameon": False,
    "figure.facecolor": "white",
}
_DPI = 130
SQUARE = (5.2, 4.3)  # inches; pictures that stand side by side


def sheet(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of so many inches with its panels, side by side."""
    return figure_of(width, height, 1, columns)


def figure_of(width: float, height: float, rows: int, columns: int) -> tuple[Figure, list[Axes]]:
    """Return an empty figure of so many inches with its panels, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def save(figure: Figure, path: Path) -> Path:
    """Write a picture; the same figure gives the same bytes."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, metadata={"Software": None})
    return path


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


def confusion_matrix(counts: dict[str, int]) -> Figure:
    """Draw the four counts, shaded by their share of the true class."""
    figure, (axes,) = sheet(*SQUARE)
    truths, verdicts = ("real", "fake"), ("real", "fake")
    grid = np.array([[counts[f"{truth}_called_{verdict}"] for verdict in verdicts] for truth in truths])
    shares = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(grid):
        ink = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{count}\n{shares[row, column]:.0%}", ha="center", va="center", color=ink, fontsize=15)
    axes.set_xticks([0, 1], ["called real", "called AI-generated"])
    axes.set_yticks([0, 1], ["real", "AI-\ngenerated"])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def score_histogram(fake: Bools, scores: Floats, at: float) -> Figure:
    """Draw how the items of each class are scored, with the threshold."""
    figure, (axes,) = sheet(*SQUARE)
    bins = np.linspace(0, 1, 26).tolist()
    for chosen, colour, name in ((~fake, GREEN, "real"), (fake, ORANGE, "AI-generated")):
        axes.hist(scores[chosen], bins=bins, color=colour, alpha=0.62, label=f"{name} ({chosen.sum()})")
    axes.axvline(at, color=INK, lw=1.6, ls="--", label=f"threshold {at:.2f}")
    axes.set(xlabel="score: probability of AI-generated", ylabel="items", xlim=(0, 1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=9.5, columnspacing=1.2)
    return figure


def verdicts(counts: dict[str, Any]) -> Figure:
    """Draw how often each of the three words is said of the items of each class.

    Args:
        counts: ``verdicts`` of ``metrics.json``.
    """
    figure, (axes,) = sheet(9, 2.5)
    words = (("real", GREEN, "real"), ("uncertain", GREY, "uncertain"), ("ai-generated", ORANGE, "AI-generated"))
    for place, label in enumerate(("fake", "real")):
        items, left = max(1, sum(counts[label].values())), 0.0
        for word, colour, said in words:
            share = counts[label].get(word, 0) / items
            axes.barh(place, share, left=left, color=colour, alpha=0.75, height=0.6, label=f"called {said}" if place == 0 else None)
            if share > 0.04:
                axes.text(left + share / 2, place, str(counts[label][word]), ha="center", va="center", color="white", fontweight="bold")
            left += share
    axes.set_yticks([0, 1], ["AI-generated", "real"])
    axes.set(xlabel="share of the items", xlim=(0, 1))
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


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


def training_curves(history: pd.DataFrame) -> Figure:
    """Draw loss and ROC-AUC per epoch, training and validation, with a line where the second phase begins."""
    figure, panels = sheet(9, 3.6, columns=2)
    first = int(history["epoch"].iloc[0])  # 0 is what the head was worth before it learned
    epochs = np.arange(first, first + len(history))
    for axes, name, title in zip(panels, ("loss", "auc"), ("loss (lower is better)", "ROC-AUC of frames (higher is better)"), strict=True):
        for column, colour, label in ((name, GREY, "training"), (f"val_{name}", BLUE, "validation")):
            axes.plot(epochs, history[column], color=colour, lw=2, marker="o", ms=3.5, label=label)
        for change in np.flatnonzero(np.diff(history["phase"])):
            axes.axvline(first + change + 0.5, color=ORANGE, lw=1.3, ls="--", label="backbone unfrozen")
        axes.set(xlabel="epoch", title=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].legend()
    return figure


def roc(fake: Bools, model: Floats, baseline: Floats, at: float) -> Figure:
    """Draw the ROC curves of the detector, the baseline and chance, with the threshold's point."""
    figure, (axes,) = sheet(*SQUARE)
    for scores, colour, name in ((model, BLUE, "detector"), (baseline, ORANGE, "baseline")):
        alarms, found, _ = roc_curve(fake, scores)
        axes.plot(alarms, found, color=colour, lw=2.2, label=name)
    axes.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="chance")
    point = (float((model[~fake] >= at).mean()), float((model[fake] >= at).mean()))
    axes.plot(*point, "o", color=BLUE, ms=8, mec="white", label="at the threshold")
    axes.set(xlabel="real items called AI-generated", ylabel="AI-generated items found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")
    return figure


def precision_recall(fake: Bools, model: Floats, baseline: Floats) -> Figure:
    """Draw precision over recall; the base rate is what calling everything fake gives."""
    figure, (axes,) = sheet(*SQUARE)
    for scores, colour, name in ((model, BLUE, "detector"), (baseline, ORANGE, "baseline")):
        precision, recall, _ = precision_recall_curve(fake, scores)
        axes.plot(recall, precision, color=colour, lw=2.2, drawstyle="steps-post", label=name)
    axes.axhline(float(fake.mean()), color=GREY, ls="--", lw=1.2, label="calling everything AI-generated")
    axes.set(xlabel="AI-generated items found (recall)", ylabel="alarms that are right (precision)", xlim=(-0.01, 1.01), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure


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


__all__ = ["draw_all", "save"]


def draw_all(folder: Path, evidence: ReportData, history: pd.DataFrame) -> dict[str, Path]:
    """Draw every picture of a report into ``folder`` and return their paths by name; what was not measured is not drawn.

    Args:
        folder: ``reports/figures``.
        evidence: the facts.
        history: the rows of ``models/history.csv``.
    """
    items, metrics = evidence.items, evidence.metrics
    fake, at = (items["label"] == "fake").to_numpy(), float(metrics["threshold"])
    model, baseline = items[MODEL].to_numpy(np.float64), items[BASELINE].to_numpy(np.float64)
    before, after = (metrics["calibration"][side]["bins"] for side in ("before", "after"))
    pictures: dict[str, Callable[[], Figure]] = {
        "roc": lambda: roc(fake, model, baseline, at),
        "precision_recall": lambda: precision_recall(fake, model, baseline),
        "confusion": lambda: confusion_matrix(metrics["test"]["item"]["confusion"]),
        "scores": lambda: score_histogram(fake, model, at),
        "verdicts": lambda: verdicts(metrics["verdicts"]),
        "training": lambda: training_curves(history),
        "reliability": lambda: reliability(before, after),
        "generators": lambda: generators(metrics["slices"]["generator"]),
    }
    if metrics["held_out"]:
        pictures["unseen"] = lambda: unseen(metrics["held_out"]["generators"])
    if metrics["robustness"]:
        pictures["robustness"] = lambda: curves(metrics["robustness"])
    with rc_context(STYLE):
        return {name: save(draw(), folder / f"{name}.png") for name, draw in pictures.items()}
