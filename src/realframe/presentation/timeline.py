"""Compute the drawing of a video's frames over time, in percent of its width and height, for the page and the HTML report."""

from dataclasses import dataclass
from typing import Any, Literal, Self

from realframe.presentation.formatting import format_clock
from realframe.presentation.sprites import Sprite
from realframe.presentation.wording import describe_frame_value
from realframe.store.detection_documents import Detection, FrameScore, Moment

_TICK_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_MAX_TICKS = 6
_MAX_DOTS = 150
_TOP, _BOTTOM = 6.0, 94.0  # the line does not touch the edges
_MIN_SPAN_WIDTH = 0.6  # so that a single frame remains visible


@dataclass(frozen=True)
class FramePoint:
    """One frame on the timeline.

    Attributes:
        time_s: seconds since the first frame.
        x: from the left, percent.
        y: from the top, percent.
        text: its time and its score.
        box: of its picture in the sprite sheets, an SVG ``viewBox``; empty where there is none.
    """

    time_s: float
    x: float
    y: float
    text: str
    box: str


@dataclass(frozen=True)
class TimeTick:
    """A time under the timeline.

    Attributes:
        x: from the left, percent.
        text: the time.
    """

    x: float
    text: str


@dataclass(frozen=True)
class AxisLabel:
    """A value next to the timeline.

    Attributes:
        y: from the top, percent.
        text: the value.
    """

    y: float
    text: str


@dataclass(frozen=True)
class Timeline:
    """The frames of a video over time.

    Attributes:
        measure: ``score`` of each frame, or ``attention``: its share of the score, where the detector scores the clip as a whole.
        marks: the frames, in the order of time.
        threshold: its height from the top, percent; None where frames have no score.
        ticks: the times under it.
        levels: the values next to it, the highest first.
        spans: the suspicious moments: start from the left, and width, percent.
        peak: index of the most suspicious frame.
        length_s: seconds of the whole width.
    """

    measure: Literal["score", "attention"]
    marks: tuple[FramePoint, ...]
    threshold: float | None
    ticks: tuple[TimeTick, ...]
    levels: tuple[AxisLabel, ...]
    spans: tuple[tuple[float, float], ...]
    peak: int
    length_s: float

    @classmethod
    def from_detection(cls, detection: Detection) -> Self | None:
        """Return the timeline of a detection; None for an image, and where single frames have no value."""
        values = [frame.value for frame in detection.frames]
        known = [value for value in values if value is not None]
        if len(known) < 2 or len(known) < len(values) or detection.facts is None:
            return None
        scored = detection.frames[0].score is not None
        top = 1.0 if scored else max(known) or 1.0
        length = max(detection.facts.duration_s, detection.frames[-1].time_s)
        sprite = Sprite.from_tiles(detection.tiles)
        return cls(
            measure="score" if scored else "attention",
            marks=tuple(_mark(index, frame, length, top, sprite) for index, frame in enumerate(detection.frames)),
            threshold=_height(detection.threshold, 1.0) if scored else None,
            ticks=time_ticks(length),
            levels=tuple(AxisLabel(_height(value, top), f"{value:.2g}") for value in (top, top / 2, 0.0)),
            spans=tuple(_span(moment, length) for moment in detection.moments),
            peak=max(range(len(known)), key=lambda index: known[index]),
            length_s=round(length, 3),
        )

    @property
    def points(self) -> str:
        """The line through all frames, as the ``points`` of an SVG ``polyline``."""
        return " ".join(f"{mark.x:g},{mark.y:g}" for mark in self.marks)

    @property
    def has_dots(self) -> bool:
        """Whether the frames are few enough for a dot at each."""
        return len(self.marks) <= _MAX_DOTS

    @property
    def label(self) -> str:
        """What the drawing shows, for screen readers."""
        subject = "The score of each frame over time" if self.measure == "score" else "The weight of each frame in the verdict over time"
        return f"{subject}. The highest: {self.marks[self.peak].text}."

    @property
    def caption(self) -> str:
        """How to read the drawing."""
        if self.measure == "score":
            return "The score of each frame, not calibrated. Above the dashed line a frame looks AI-generated."
        return "How much each frame weighs in the verdict. The detector scores the video as a whole."

    def for_script(self) -> dict[str, Any]:
        """Return what the page's script needs to follow a pointer or the arrow keys."""
        columns = {name: [getattr(mark, name) for mark in self.marks] for name in ("time_s", "x", "y", "text", "box")}
        return columns | {"peak": self.peak, "length_s": self.length_s}


def time_ticks(length_s: float) -> tuple[TimeTick, ...]:
    """Return up to six times from 0 to the end of a video, at round steps."""
    if length_s <= 0:
        return ()
    step = next((step for step in _TICK_STEPS_S if length_s / step < _MAX_TICKS), length_s)
    times = (number * step for number in range(int(length_s / step) + 1))
    return tuple(TimeTick(round(100 * time / length_s, 2), format_clock(time)) for time in times)


def _mark(index: int, frame: FrameScore, length: float, top: float, sprite: Sprite | None) -> FramePoint:
    value = frame.value or 0.0
    return FramePoint(
        time_s=round(frame.time_s, 3),
        x=round(100 * frame.time_s / length, 2) if length else 0.0,
        y=_height(value, top),
        text=f"Frame at {format_clock(frame.time_s)}: {describe_frame_value(value, scored=frame.score is not None)}",
        box=sprite.box(index) if sprite else "",
    )


def _span(moment: Moment, length: float) -> tuple[float, float]:
    if not length:
        return 0.0, 0.0
    return round(100 * moment.start_s / length, 2), round(max(100 * (moment.end_s - moment.start_s) / length, _MIN_SPAN_WIDTH), 2)


def _height(value: float, top: float) -> float:
    return round(_BOTTOM - (_BOTTOM - _TOP) * value / top, 2)
