"""The picture of a training: loss, ROC-AUC and learning rate over both phases."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw(history: pd.DataFrame) -> Figure:
    """Return the curves of a history (the columns of ``models/history.csv``); a dotted line stands where phase 2 begins."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, auc, rate = figure.subplots(1, 3)
    epochs = _epochs(history)
    for axes, name, title in ((loss, "loss", "binary cross-entropy"), (auc, "auc", "ROC-AUC of frames")):
        axes.plot(epochs, history[name], marker=".", label="training")
        axes.plot(epochs, history[f"val_{name}"], marker=".", label="validation")
        axes.legend()
        _label(axes, title, history)
    best = int(history["val_loss"].argmin())
    loss.plot(epochs[best], history["val_loss"].iloc[best], "o", fillstyle="none", markersize=10, color="black")
    rate.semilogy(epochs, history["learning_rate"], marker=".")
    _label(rate, "learning rate", history)
    return figure


def _label(axes: Axes, title: str, history: pd.DataFrame) -> None:
    axes.set(title=title, xlabel="epoch")
    first = int((history["phase"] == 1).sum())
    if 0 < first < len(history):
        axes.axvline(_epochs(history)[first] - 0.5, linestyle=":", color="grey")


def _epochs(history: pd.DataFrame) -> list[int]:
    """Count the epochs over both phases, from that of the first row: 0 is what the head was worth before it learned."""
    return [int(history["epoch"].iloc[0]) + row for row in range(len(history))]
