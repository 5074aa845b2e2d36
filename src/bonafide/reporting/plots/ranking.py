"""How well the detector ranks: ROC and precision-recall curves, the floor beside it."""

from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from bonafide.reporting.plots.drawing import BLUE, GREY, ORANGE, SQUARE, sheet
from bonafide.statistics.arrays import Bools, Floats


def roc(fake: Bools, model: Floats, floor: Floats, at: float) -> Figure:
    """Draw the ROC curves of the detector, the floor and chance, with the threshold's point."""
    figure, (axes,) = sheet(*SQUARE)
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
    figure, (axes,) = sheet(*SQUARE)
    for scores, colour, name in ((model, BLUE, "detector"), (floor, ORANGE, "floor")):
        precision, recall, _ = precision_recall_curve(fake, scores)
        axes.plot(recall, precision, color=colour, lw=2.2, drawstyle="steps-post", label=name)
    axes.axhline(float(fake.mean()), color=GREY, ls="--", lw=1.2, label="calling everything AI-generated")
    axes.set(xlabel="AI-generated items found (recall)", ylabel="alarms that are right (precision)", xlim=(-0.01, 1.01), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure
