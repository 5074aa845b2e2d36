"""The frames of a video over time, as the numbers of a drawing."""

from dataclasses import dataclass
from typing import Self

from bonafide.metadata.detections import Detection
from bonafide.reporting.verdict_words import clock

WIDTH, HEIGHT = 1000, 160
_MOST_DOTS = 120
_SHORT_S = 10  # below it whole seconds would repeat on the axis


@dataclass(frozen=True)
class Dot:
    """One frame: its place in the drawing and its words."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Curve:
    """The drawing, in units of a box of 1000 x 160, the origin at the upper left.

    Attributes:
        by: what is drawn, ``score`` or ``attention``.
        top: its value at the upper edge.
        dots: the frames that were looked at.
        spans: x and width of each suspicious moment.
        ticks: the words of the axis, evenly spaced.
    """

    by: str
    top: float
    dots: tuple[Dot, ...]
    spans: tuple[tuple[float, float], ...]
    ticks: tuple[str, ...]

    @classmethod
    def of(cls, said: Detection) -> Self | None:
        """Return it; None where nothing changes over time, or nothing is known of single frames."""
        if len(said.frames) < 2:
            return None
        by = "score" if said.frames[0].score is not None else "attention"
        values = [getattr(frame, by) for frame in said.frames]
        if None in values:
            return None
        top = 1.0 if by == "score" else max(max(values), 1e-9)
        length = max(said.frames[-1].time_s, 1e-9)
        dots = [
            Dot(WIDTH * frame.time_s / length, HEIGHT * (1 - value / top), f"{clock(frame.time_s)}: {by} {value:.2f}")
            for frame, value in zip(said.frames, values, strict=True)
        ]
        least = WIDTH / 100
        spans = [(WIDTH * moment.start_s / length, WIDTH * (moment.end_s - moment.start_s) / length) for moment in said.moments]
        shown = tuple((max(0.0, x + width / 2 - max(width, least) / 2), max(width, least)) for x, width in spans)
        ticks = tuple(_tick(length * part / 4, length) for part in range(5))
        return cls(by, top, tuple(dots), shown, ticks)

    @property
    def points(self) -> str:
        """The line through the dots."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)

    @property
    def dotted(self) -> bool:
        """There is room for the dots."""
        return len(self.dots) <= _MOST_DOTS


def _tick(seconds: float, length: float) -> str:
    return f"{seconds:.1f} s" if length < _SHORT_S else clock(seconds)
