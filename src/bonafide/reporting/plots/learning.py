"""How the training went, epoch by epoch."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bonafide.reporting.plots.drawing import BLUE, GREY, ORANGE, sheet


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
