"""Paper and ink of the pictures: light, readable in print and on a phone, colours that also the colour-blind tell apart (Okabe & Ito)."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bonafide.files import atomic_path

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
