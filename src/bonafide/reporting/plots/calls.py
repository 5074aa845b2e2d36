"""What the detector calls the items: the confusion matrix, and the scores that it rests on."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bonafide.reporting.plots.drawing import GREEN, GREY, INK, ORANGE, SQUARE, sheet
from bonafide.statistics.arrays import Bools, Floats


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
