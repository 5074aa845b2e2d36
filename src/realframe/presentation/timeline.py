"""The geometry of the timeline under the player: the score of each frame over time, in per cent of a drawing's width and height.

The frames of a video over time, as the numbers of a drawing.
"""

from dataclasses import dataclass
from typing import Any, Self

from realframe.presentation.formatting import clock, weight
from realframe.presentation.sprites import Sprite, sprite_of
from realframe.presentation.wording import clock as clock_detection_curve
from realframe.store.detection_documents import Detection, FrameScore, Moment

_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 6
_TOP, _BOTTOM = 6.0, 94.0  # the line stays clear of the edges
_MOST_DOTS = 150
_NARROWEST = 0.6


@dataclass(frozen=True)
class Mark:
    """One frame on the timeline.

    Attributes:
        time_s: when it is shown.
        x: from the left, per cent.
        y: from the top, per cent.
        words: what stands beside its picture.
        box: of its picture in the sprites; empty where there is none.
    """

    time_s: float
    x: float
    y: float
    words: str
    box: str


@dataclass(frozen=True)
class Tick:
    """A time under the timeline: from the left in per cent, and its words."""

    x: float
    words: str


@dataclass(frozen=True)
class Timeline:
    """The scores of a video over time.

    Attributes:
        what: ``score`` of each frame, or ``attention``: its share of the score, where the detector scores the clip as a whole.
        marks: the frames, in the order of time.
        line: through all of them, as SVG's ``points``.
        threshold: its height from the top, per cent; None where the frames have no score.
        ticks: under it.
        stretches: the suspicious moments: from the left, and how wide, per cent.
        peak: the place of the most suspicious frame.
        length_s: what the whole width stands for.
    """

    what: str
    marks: tuple[Mark, ...]
    line: str
    threshold: float | None
    ticks: tuple[Tick, ...]
    stretches: tuple[tuple[float, float], ...]
    peak: int
    length_s: float

    @classmethod
    def of(cls, detection: Detection) -> Self | None:
        """Return the timeline of an answer; None where there is nothing that changes over time."""
        values = [frame.value for frame in detection.frames]
        known = [value for value in values if value is not None]
        if len(known) < 2 or len(known) < len(values) or detection.facts is None:
            return None
        scored = detection.frames[0].score is not None
        top = 1.0 if scored else max(known) or 1.0
        length = max(detection.facts.duration_s, detection.frames[-1].time_s)
        sprite = sprite_of(detection.tiles)
        marks = tuple(_mark(place, frame, length, top, sprite) for place, frame in enumerate(detection.frames))
        return cls(
            what="score" if scored else "attention",
            marks=marks,
            line=" ".join(f"{mark.x:g},{mark.y:g}" for mark in marks),
            threshold=_height(detection.threshold, 1.0) if scored else None,
            ticks=ticks(length),
            stretches=tuple(_stretch(moment, length) for moment in detection.moments),
            peak=max(range(len(known)), key=lambda place: known[place]),
            length_s=round(length, 3),
        )

    @property
    def dotted(self) -> bool:
        """There is room for a dot at each frame."""
        return len(self.marks) <= _MOST_DOTS

    def for_script(self) -> dict[str, Any]:
        """Return what the script needs to follow a pointer or the arrow keys."""
        columns = {name: [getattr(mark, name) for mark in self.marks] for name in ("time_s", "x", "y", "words", "box")}
        return columns | {"peak": self.peak, "length_s": self.length_s}


def ticks(length_s: float) -> tuple[Tick, ...]:
    """Return at most six times from 0 to the end of a video, at round steps."""
    if length_s <= 0:
        return ()
    step = next((step for step in _STEPS_S if length_s / step < _MOST_TICKS), length_s)
    return tuple(Tick(round(100 * number * step / length_s, 2), clock(number * step)) for number in range(int(length_s / step) + 1))


def _mark(place: int, frame: FrameScore, length: float, top: float, sprite: Sprite | None) -> Mark:
    value = frame.value or 0.0
    return Mark(
        time_s=round(frame.time_s, 3),
        x=round(100 * frame.time_s / length, 2) if length else 0.0,
        y=_height(value, top),
        words=f"Frame at {clock(frame.time_s)}: {weight(value, scored=frame.score is not None)}",
        box=sprite.box(place) if sprite else "",
    )


def _stretch(moment: Moment, length: float) -> tuple[float, float]:
    """From the left, and how wide: a single frame is still to be seen."""
    if not length:
        return 0.0, 0.0
    return round(100 * moment.start_s / length, 2), round(max(100 * (moment.end_s - moment.start_s) / length, _NARROWEST), 2)


def _height(value: float, top: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * value / top, 2)


WIDTH, HEIGHT = 1000, 160
_MOST_CURVE_DOTS = 120
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
            Dot(WIDTH * frame.time_s / length, HEIGHT * (1 - value / top), f"{clock_detection_curve(frame.time_s)}: {by} {value:.2f}")
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
        return len(self.dots) <= _MOST_CURVE_DOTS


def _tick(seconds: float, length: float) -> str:
    return f"{seconds:.1f} s" if length < _SHORT_S else clock_detection_curve(seconds)
