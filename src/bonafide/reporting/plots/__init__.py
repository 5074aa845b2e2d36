"""The pictures of the evidence: light, readable in print and on a phone, colours that also the colour-blind tell apart (Okabe & Ito)."""

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

from bonafide.evaluation.evidence import FLOOR, MODEL
from bonafide.files import atomic_path
from bonafide.statistics.metrics import Bools, Floats

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8F98"
_STYLE: Any = {
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
_SQUARE = (5.2, 4.3)  # inches; pictures that stand side by side


def draw_all(folder: Path, items: pd.DataFrame, history: pd.DataFrame, metrics: dict[str, Any]) -> dict[str, Path]:
    """Draw every picture of a report into ``folder`` and return their paths by name.

    Args:
        folder: ``reports/figures``.
        items: the item table of the test split.
        history: the rows of ``models/history.csv``.
        metrics: the content of ``reports/metrics.json``.
    """
    fake, at = (items["label"] == "fake").to_numpy(), float(metrics["threshold"])
    model, floor = items[MODEL].to_numpy(np.float64), items[FLOOR].to_numpy(np.float64)
    pictures: dict[str, Callable[[], Figure]] = {
        "roc": lambda: roc(fake, model, floor, at),
        "precision_recall": lambda: precision_recall(fake, model, floor),
        "confusion": lambda: confusion_matrix(metrics["test"]["item"]["confusion"]),
        "scores": lambda: score_histogram(fake, model, at),
        "training": lambda: training_curves(history),
        "generators": lambda: generators(metrics["per_generator"]),
    }
    with rc_context(_STYLE):
        return {name: save(draw(), folder / f"{name}.png") for name, draw in pictures.items()}


def roc(fake: Bools, model: Floats, floor: Floats, at: float) -> Figure:
    """Draw the ROC curves of the detector, the floor and chance, with the threshold's point."""
    figure, (axes,) = _figure(*_SQUARE)
    for scores, colour, name in ((model, BLUE, "detector"), (floor, ORANGE, "floor")):
        alarms, found, _ = roc_curve(fake, scores)
        axes.plot(alarms, found, color=colour, lw=2.2, label=name)
    axes.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1.2, label="chance")
    point = (float((model[~fake] >= at).mean()), float((model[fake] >= at).mean()))
    axes.plot(*point, "o", color=BLUE, ms=8, mec="white", label="at the threshold")
    axes.set(xlabel="real items called AI-generated", ylabel="AI-generated items found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")
    return figure


def precision_recall(fake: Bools, model: Floats, floor: Floats) -> Figure:
    """Draw precision over recall; the base rate is what calling everything fake gives."""
    figure, (axes,) = _figure(*_SQUARE)
    for scores, colour, name in ((model, BLUE, "detector"), (floor, ORANGE, "floor")):
        precision, recall, _ = precision_recall_curve(fake, scores)
        axes.plot(recall, precision, color=colour, lw=2.2, drawstyle="steps-post", label=name)
    axes.axhline(float(fake.mean()), color=GREY, ls="--", lw=1.2, label="calling everything AI-generated")
    axes.set(xlabel="AI-generated items found (recall)", ylabel="alarms that are right (precision)", xlim=(-0.01, 1.01), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure


def confusion_matrix(counts: dict[str, int]) -> Figure:
    """Draw the four counts, shaded by their share of the true class."""
    figure, (axes,) = _figure(*_SQUARE)
    truths, verdicts = ("real", "fake"), ("real", "fake")
    grid = np.array([[counts[f"{truth}_called_{verdict}"] for verdict in verdicts] for truth in truths])
    shares = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(grid):
        ink = "white" if shares[row, column] > 0.55 else "#1F2933"
        axes.text(column, row, f"{count}\n{shares[row, column]:.0%}", ha="center", va="center", color=ink, fontsize=15)
    axes.set_xticks([0, 1], ["called real", "called AI-generated"])
    axes.set_yticks([0, 1], ["real", "AI-\ngenerated"])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def score_histogram(fake: Bools, scores: Floats, at: float) -> Figure:
    """Draw how the items of each class are scored, with the threshold."""
    figure, (axes,) = _figure(*_SQUARE)
    bins = np.linspace(0, 1, 26).tolist()
    for chosen, colour, name in ((~fake, GREEN, "real"), (fake, ORANGE, "AI-generated")):
        axes.hist(scores[chosen], bins=bins, color=colour, alpha=0.62, label=f"{name} ({chosen.sum()})")
    axes.axvline(at, color="#1F2933", lw=1.6, ls="--", label=f"threshold {at:.2f}")
    axes.set(xlabel="score: probability of AI-generated", ylabel="items", xlim=(0, 1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=9.5, columnspacing=1.2)
    return figure


def training_curves(history: pd.DataFrame) -> Figure:
    """Draw loss and ROC-AUC per epoch, training and validation, with a line where the second phase begins."""
    figure, panels = _figure(9, 3.6, columns=2)
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


def generators(rows: dict[str, dict[str, Any]]) -> Figure:
    """Draw the share of each generator's items that is found, with its interval; those with too few items as an outline."""
    figure, (axes,) = _figure(5.2, 1.2 + 0.42 * max(1, len(rows)))
    for place, row in enumerate(reversed(rows.values())):
        if "too_few" in row:
            axes.barh(place, row["found"] / row["items"], color="none", edgecolor=GREY, ls="--", height=0.62)
            axes.text(1.02, place, f"{row['found']} of {row['items']}: too few", va="center", color="#6B7280", fontsize=10)
            continue
        share = row["recall"]
        error = [[share["value"] - share["low"]], [share["high"] - share["value"]]]
        axes.barh(place, share["value"], color=BLUE, alpha=0.8, height=0.62, xerr=np.abs(error), ecolor="#1F2933", capsize=3)
        axes.text(1.02, place, f"{share['value']:.0%} of {row['items']}", va="center", fontsize=10)
    axes.set_yticks(range(len(rows)), [name if len(name) <= 20 else f"{name[:19]}…" for name in reversed(rows)])
    axes.set(xlabel="share of its items that is found", xlim=(0, 1))
    axes.grid(visible=False, axis="y")
    return figure


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])


def save(figure: Figure, path: Path) -> Path:
    """Write a picture; the same figure gives the same bytes."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, metadata={"Software": None})
    return path
