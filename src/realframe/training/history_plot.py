"""Plot the history of a training, for MLflow and for the report: loss, accuracy, ROC-AUC and learning rate over both phases."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_GREY, _BLUE, _ORANGE = "#8A8F98", "#0072B2", "#D55E00"  # distinguishable by the color-blind (Okabe & Ito)


def plot_history(history: pd.DataFrame) -> Figure:
    """Return the curves of a history, the columns of ``models/history.csv``; a dotted line marks the start of phase 2."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    loss, accuracy, auc, rate = figure.subplots(2, 2).flat
    epochs = _number_epochs(history)
    for axes, name in ((loss, "loss"), (accuracy, "accuracy"), (auc, "auc")):
        for column, color, label in ((name, _GREY, "training"), (f"val_{name}", _BLUE, "validation")):
            axes.plot(epochs, history[column], color=color, lw=2, marker="o", ms=3.5, label=label)
    rate.semilogy(epochs, history["learning_rate"], color=_BLUE, lw=2, marker="o", ms=3.5)
    titles = ("loss (lower is better)", "accuracy at 0.5 (higher is better)", "ROC-AUC (higher is better)", "learning rate")
    for axes, title in zip((loss, accuracy, auc, rate), titles, strict=True):
        _finish_panel(axes, title, history, epochs)
    best = int(history["val_loss"].argmin())
    loss.plot(epochs[best], history["val_loss"].iloc[best], "o", fillstyle="none", markersize=10, color="black", label="best epoch")
    loss.legend()
    return figure


def _finish_panel(axes: Axes, title: str, history: pd.DataFrame, epochs: list[int]) -> None:
    phase2 = int((history["phase"] == 1).sum())
    if 0 < phase2 < len(history):
        axes.axvline(epochs[phase2] - 0.5, color=_ORANGE, lw=1.3, ls=":", label="backbone unfrozen")
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _number_epochs(history: pd.DataFrame) -> list[int]:
    """Number the epochs over both phases, from that of the first row: 0 is the state before training."""
    return [int(history["epoch"].iloc[0]) + row for row in range(len(history))]
