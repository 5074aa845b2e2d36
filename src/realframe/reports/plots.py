"""Draw the plots of the evaluation report from ``reports/metrics.json`` and the scores of the test items.

The colors (Okabe and Ito) are distinguishable for color-blind readers and in print.
"""

from collections.abc import Callable, Mapping
from functools import partial
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

from realframe.evaluation.figures import BASELINE_SCORE, MODEL_SCORE
from realframe.files import atomic_path
from realframe.presentation.formatting import format_percent
from realframe.presentation.wording import PERTURBATIONS
from realframe.registry.unseen_sources import list_kinds
from realframe.reports.evaluation_report import ReportData
from realframe.statistics.arrays import Bools, Floats
from realframe.training.history_plot import plot_history

BLUE, ORANGE, GREEN, GRAY, INK = "#0072B2", "#D55E00", "#009E73", "#8A8F98", "#1F2933"
FAINT = "#6B7280"
SQUARE = (5.2, 4.3)  # inches; plots that are placed next to each other
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
_DOT_AREA = 26.0  # area of a dot per square root of an item
_MAX_SOURCES = 15  # sources and generators in a plot
_MAX_NAME_LENGTH = 20  # characters
_STRONGER_BELOW = ("jpeg", "downscale", "crop")  # a lower level is a stronger perturbation
_COLUMNS = 3  # of the robustness plot


def create_figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure, its size in inches, and its axes, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def save_plot(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG. Equal figures give equal bytes."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI, metadata={"Software": None})
    return path


def draw_plots(folder: Path, data: ReportData, history: pd.DataFrame) -> dict[str, Path]:
    """Draw every plot of the report into ``folder`` and return the paths by name. What was not measured is not drawn.

    Args:
        folder: ``reports/figures``.
        data: the report data.
        history: the rows of ``models/history.csv``.
    """
    items, metrics = data.items, data.metrics
    fake, threshold = (items["label"] == "fake").to_numpy(), float(metrics["threshold"])
    model, baseline = items[MODEL_SCORE].to_numpy(np.float64), items[BASELINE_SCORE].to_numpy(np.float64)
    before, after = (metrics["calibration"][side]["bins"] for side in ("before", "after"))
    plots: dict[str, Callable[[], Figure]] = {
        "roc": lambda: draw_roc(fake, model, baseline, threshold),
        "precision_recall": lambda: draw_precision_recall(fake, model, baseline),
        "confusion": lambda: draw_confusion_matrix(metrics["test"]["item"]["confusion"]),
        "scores": lambda: draw_score_histogram(fake, model, threshold),
        "verdicts": lambda: draw_verdicts(metrics["verdicts"]),
        "training": lambda: plot_history(history),
        "reliability": lambda: draw_reliability(before, after),
        "generators": lambda: draw_generators(metrics["slices"]["generator"]),
    }
    measured = {kind: figures for kind, figures in list_kinds(metrics).items() if "too_few" not in figures}
    plots |= {f"sources_{kind}": partial(draw_sources, figures) for kind, figures in measured.items()}
    if measured:
        plots["risk_coverage"] = lambda: draw_risk_coverage({kind: figures["risk_coverage"] for kind, figures in measured.items()})
    if metrics["held_out"]:
        plots["unseen"] = lambda: draw_unseen_generators(metrics["held_out"]["generators"])
    if metrics["robustness"]:
        plots["robustness"] = lambda: draw_robustness(metrics["robustness"])
    with rc_context(STYLE):
        return {name: save_plot(draw(), folder / f"{name}.png") for name, draw in plots.items()}


def draw_roc(fake: Bools, model: Floats, baseline: Floats, threshold: float) -> Figure:
    """Draw the ROC curves of the detector, the baseline and chance, and the point of the threshold."""
    figure, (axes,) = create_figure(*SQUARE)
    for scores, color, name in ((model, BLUE, "detector"), (baseline, ORANGE, "baseline")):
        false_positive_rate, true_positive_rate, _ = roc_curve(fake, scores)
        axes.plot(false_positive_rate, true_positive_rate, color=color, lw=2.2, label=name)
    axes.plot([0, 1], [0, 1], color=GRAY, ls="--", lw=1.2, label="chance")
    point = (float((model[~fake] >= threshold).mean()), float((model[fake] >= threshold).mean()))
    axes.plot(*point, "o", color=BLUE, ms=8, mec="white", label="at the threshold")
    axes.set(xlabel="real items called AI-generated", ylabel="AI-generated items found", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.legend(loc="lower right")
    return figure


def draw_precision_recall(fake: Bools, model: Floats, baseline: Floats) -> Figure:
    """Draw precision over recall. The base rate is the precision of calling every item fake."""
    figure, (axes,) = create_figure(*SQUARE)
    for scores, color, name in ((model, BLUE, "detector"), (baseline, ORANGE, "baseline")):
        precision, recall, _ = precision_recall_curve(fake, scores)
        axes.plot(recall, precision, color=color, lw=2.2, drawstyle="steps-post", label=name)
    axes.axhline(float(fake.mean()), color=GRAY, ls="--", lw=1.2, label="calling everything AI-generated")
    axes.set(xlabel="AI-generated items found (recall)", ylabel="correct alarms (precision)", xlim=(-0.01, 1.01), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure


def draw_confusion_matrix(counts: dict[str, int]) -> Figure:
    """Draw the four counts, shaded by their share of the true class.

    Args:
        counts: ``test.item.confusion`` of ``metrics.json``.
    """
    figure, (axes,) = create_figure(*SQUARE)
    labels = ("real", "fake")
    grid = np.array([[counts[f"{truth}_called_{prediction}"] for prediction in labels] for truth in labels])
    shares = grid / np.maximum(grid.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(grid):
        color = "white" if shares[row, column] > 0.55 else INK
        axes.text(column, row, f"{count}\n{shares[row, column]:.0%}", ha="center", va="center", color=color, fontsize=15)
    axes.set_xticks([0, 1], ["called real", "called AI-generated"])
    axes.set_yticks([0, 1], ["real", "AI-\ngenerated"])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    return figure


def draw_score_histogram(fake: Bools, scores: Floats, threshold: float) -> Figure:
    """Draw a histogram of the scores of each class, with the threshold."""
    figure, (axes,) = create_figure(*SQUARE)
    bins = np.linspace(0, 1, 26).tolist()
    for mask, color, name in ((~fake, GREEN, "real"), (fake, ORANGE, "AI-generated")):
        axes.hist(scores[mask], bins=bins, color=color, alpha=0.62, label=f"{name} ({mask.sum()})")
    axes.axvline(threshold, color=INK, lw=1.6, ls="--", label=f"threshold {threshold:.2f}")
    axes.set(xlabel="score: probability of AI-generated", ylabel="items", xlim=(0, 1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=9.5, columnspacing=1.2)
    return figure


def draw_reliability(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Figure:
    """Draw reliability diagrams: per bin, the share of fake items over their mean probability. Larger dots hold more items.

    Args:
        before: the bins of the raw scores: ``items``, ``mean_probability``, ``fake_share``.
        after: the bins of the calibrated probabilities.
    """
    figure, panels = create_figure(9, 4.2, columns=2)
    for axes, bins, color, title in zip(panels, (before, after), (ORANGE, BLUE), ("before", "after calibration"), strict=True):
        filled = [row for row in bins if row["items"]]
        axes.plot([0, 1], [0, 1], color=GRAY, ls="--", lw=1.2, label="perfect calibration")
        means, shares, items = (np.array([row[name] for row in filled], float) for name in ("mean_probability", "fake_share", "items"))
        axes.scatter(means, shares, s=_DOT_AREA * np.sqrt(items), color=color, alpha=0.75, ec="white")
        axes.set(xlabel="predicted probability of AI-generated", title=title, xlim=(-0.02, 1.02), ylim=(-0.04, 1.04))
    panels[0].set_ylabel("observed share AI-generated")
    panels[0].legend(loc="upper left")
    return figure


def draw_verdicts(counts: dict[str, Any]) -> Figure:
    """Draw how often the items of each class get each of the three verdicts.

    Args:
        counts: ``verdicts`` of ``metrics.json``.
    """
    figure, (axes,) = create_figure(9, 2.5)
    verdicts = (("real", GREEN, "real"), ("uncertain", GRAY, "uncertain"), ("ai-generated", ORANGE, "AI-generated"))
    for place, label in enumerate(("fake", "real")):
        items, left = max(1, sum(counts[label].values())), 0.0
        for verdict, color, name in verdicts:
            share = counts[label].get(verdict, 0) / items
            axes.barh(place, share, left=left, color=color, alpha=0.75, height=0.6, label=f"called {name}" if place == 0 else None)
            if share > 0.04:
                axes.text(left + share / 2, place, str(counts[label][verdict]), ha="center", va="center", color="white", fontweight="bold")
            left += share
    axes.set_yticks([0, 1], ["AI-generated", "real"])
    axes.set(xlabel="share of the items", xlim=(0, 1))
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


def draw_generators(rows: list[dict[str, Any]]) -> Figure:
    """Draw the recall of each generator with its interval. A generator with too few items is drawn as an outline.

    Args:
        rows: ``slices.generator`` of ``metrics.json``.
    """
    figure, (axes,) = create_figure(5.2, 1.2 + 0.42 * max(1, len(rows)))
    for place, row in enumerate(reversed(rows)):
        recall = row["accuracy"]
        if "too_few" in row:
            axes.barh(place, recall["value"], color="none", edgecolor=GRAY, ls="--", height=0.62)
            text = f"{round(recall['value'] * row['fake'])} of {row['fake']}: too few"
            axes.text(1.02, place, text, va="center", color=FAINT, fontsize=10)
            continue
        error = np.abs([[recall["value"] - recall["low"]], [recall["high"] - recall["value"]]])
        axes.barh(place, recall["value"], color=BLUE, alpha=0.8, height=0.62, xerr=error, ecolor=INK, capsize=3)
        axes.text(1.02, place, f"{format_percent(recall['value'])} of {row['fake']}", va="center", fontsize=10)
    _label_rows(axes, [row["name"] for row in rows])
    axes.set(xlabel="share of its items that is found", xlim=(0, 1))
    return figure


def draw_sources(figures: Mapping[str, Any]) -> Figure:
    """Draw the share of mistakes on each real source and each generator that was left out, the worst first.

    Args:
        figures: ``cross_source.kinds.<kind>`` of ``metrics.json``.
    """
    parts = [
        (figures["real_sources"], "false_positive_rate", GREEN, "real items called AI-generated, per source"),
        (figures["generators_by_name"], "miss_rate", ORANGE, "items called real, per generator"),
    ]
    worst = [sorted(rows, key=lambda row: -row[name]["value"])[:_MAX_SOURCES] for rows, name, _, _ in parts]
    figure, panels = create_figure(11, 1.3 + 0.36 * max(map(len, worst)), columns=2)
    for axes, rows, (_, name, color, label) in zip(panels, worst, parts, strict=True):
        for place, row in enumerate(reversed(rows)):
            share = row[name]
            if share["low"] is not None:
                axes.plot([share["low"], share["high"]], [place, place], color=color, lw=5, alpha=0.35, solid_capstyle="round")
            axes.plot(share["value"], place, "o", color=color if share["low"] is not None else "white", mec=color, ms=8)
            axes.text(1.03, place, f"{format_percent(share['value'])} of {row['items']}", va="center", fontsize=9)
        _label_rows(axes, [row["name"] for row in rows])
        axes.set(xlabel=label, xlim=(-0.03, 1), ylim=(-0.6, len(rows) - 0.4))
    return figure


def draw_risk_coverage(curves: Mapping[str, list[dict[str, float]]]) -> Figure:
    """Draw the share of wrong answers over the share of items that are answered, the surest first; one curve per kind.

    Args:
        curves: ``risk_coverage`` of each kind.
    """
    figure, (axes,) = create_figure(9, 3.2)
    for color, (kind, rows) in zip((BLUE, ORANGE), curves.items(), strict=False):
        axes.plot(
            [row["coverage"] for row in rows], [row["wrong"] for row in rows], color=color, lw=2.2, marker="o", ms=4.5, label=f"{kind}s"
        )
    axes.axhline(0.5, color=GRAY, ls="--", lw=1.2, label="guessing")
    axes.set(xlabel="share of the items that are answered, the surest first", ylabel="wrong answers", xlim=(0, 1.02), ylim=(0, 0.75))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


def draw_unseen_generators(rows: list[dict[str, Any]]) -> Figure:
    """Draw the ROC-AUC on each generator of the detector that was trained without it.

    Args:
        rows: ``held_out.generators`` of ``metrics.json``.
    """
    figure, (axes,) = create_figure(9, 1.3 + 0.42 * max(1, len(rows)))
    for place, row in enumerate(reversed(rows)):
        roc_auc = row["roc_auc"]
        has_interval = roc_auc["low"] is not None
        if has_interval:
            axes.plot([roc_auc["low"], roc_auc["high"]], [place, place], color=ORANGE, lw=5, alpha=0.35, solid_capstyle="round")
        axes.plot(roc_auc["value"], place, "o", color=ORANGE if has_interval else "white", mec=ORANGE if has_interval else GRAY, ms=9)
        text = f"{roc_auc['value']:.2f}, {row['fake']} items" + ("" if has_interval else ": too few")
        axes.text(1.02, place, text, va="center", color=INK if has_interval else FAINT, fontsize=10)
    axes.axvline(0.5, color=GRAY, ls="--", lw=1.2)
    _label_rows(axes, [row["name"] for row in rows])
    axes.set(xlabel="ROC-AUC on a generator held out of training (0.5 is guessing)", xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4))
    return figure


def _label_rows(axes: Axes, names: list[str]) -> None:
    short = [name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…" for name in reversed(names)]
    axes.set_yticks(range(len(names)), short)
    axes.grid(visible=False, axis="y")


def draw_robustness(robustness: dict[str, Any]) -> Figure:
    """Draw the ROC-AUC over the level of each perturbation, with its interval. The unchanged items are the left end and a line.

    Args:
        robustness: ``robustness`` of ``metrics.json``.
    """
    names = [name for name in PERTURBATIONS if name in robustness["curves"]]
    rows = -(-len(names) // _COLUMNS)
    figure, panels = create_figure(9, 2.9 * rows, rows, _COLUMNS)
    for panel, name in zip(panels, names, strict=False):
        points = robustness["curves"][name]
        _draw_curve(panel, name, points, _unchanged_roc_auc(points[0], robustness["none"]))
    for panel in panels[len(names) :]:
        panel.axis("off")
    return figure


def _unchanged_roc_auc(point: dict[str, Any], unchanged: dict[str, Any]) -> dict[str, Any]:
    """Return the ROC-AUC of the same items unchanged. A perturbation of videos excludes images, so its value has no interval."""
    if all(point[label] == unchanged[label] for label in ("real", "fake")):
        return dict(unchanged["roc_auc"])
    before = None if point["drop"]["value"] is None else point["roc_auc"]["value"] + point["drop"]["value"]
    return {"value": before, "low": None, "high": None}


def _draw_curve(axes: Axes, name: str, points: list[dict[str, Any]], unchanged: dict[str, Any]) -> None:
    title, unit = PERTURBATIONS[name]
    ordered = sorted(points, key=lambda point: point["level"], reverse=name in _STRONGER_BELOW)
    roc_aucs = [unchanged, *(point["roc_auc"] for point in ordered)]
    places = np.arange(len(roc_aucs))
    low, values, high = (
        np.array([np.nan if roc_auc[part] is None else roc_auc[part] for roc_auc in roc_aucs], float) for part in ("low", "value", "high")
    )
    if unchanged["value"] is not None:
        axes.axhline(unchanged["value"], color=GRAY, ls="--", lw=1.2)
    axes.fill_between(places, low, high, color=BLUE, alpha=0.18, lw=0)
    axes.plot(places, values, color=BLUE, lw=2, marker="o", ms=4.5)
    axes.set_xticks(places, ["none", *(f"{point['level']:g}" for point in ordered)])
    axes.set(title=title, xlabel=unit, ylim=(0.4, 1.02))
