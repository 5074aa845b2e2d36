"""Style of the plots: palette, fonts and grid. The colors (Okabe and Ito) are distinguishable for color-blind readers and in print."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from realframe.files import atomic_path

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
