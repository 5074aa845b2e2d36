"""An answer made ready for its page: the words, the drawings and the rows of facts."""

from dataclasses import dataclass
from typing import Self

from bonafide.metadata.detections import Detection, DetectionRecord, FileFacts, Moment
from bonafide.reporting import verdict_words
from bonafide.serving.views.scale import Scale
from bonafide.serving.views.tiles import Sprite, sprite_of
from bonafide.serving.views.timeline import Timeline
from bonafide.serving.views.words import clock, size, weight, when


@dataclass(frozen=True)
class ShownMoment:
    """A suspicious moment: where the player goes to, its words, and its picture's box in the sprites (empty where there is none)."""

    seek_s: float
    words: str
    said: str
    box: str


@dataclass(frozen=True)
class Shown:
    """What the page of an answer shows.

    Attributes:
        detection: the answer.
        headline: the verdict as a layman says it.
        meaning: what it means, in sentences; the first one, the probability, is left to the scale where there is one.
        limits: what the model can't judge, in sentences.
        scale: where the probability lies; None where not scored.
        timeline: None where there is nothing that changes over time.
        sprite: the pictures of the frames; None where there are none.
        first: the box of the picture that is shown first, the most suspicious one; empty where there is none.
        moments: the most suspicious first.
        facts: of the file, and of how it was scored: names and values.
    """

    detection: Detection
    headline: str
    meaning: list[str]
    limits: list[str]
    scale: Scale | None
    timeline: Timeline | None
    sprite: Sprite | None
    first: str
    moments: tuple[ShownMoment, ...]
    facts: list[tuple[str, str]]

    @classmethod
    def of(cls, record: DetectionRecord) -> Self | None:
        """Make an answer ready; None where there is none yet."""
        answer = record.answer
        if answer is None:
            return None
        scale, sprite = Scale.of(answer), sprite_of(answer.tiles)
        return cls(
            detection=answer,
            headline=verdict_words.headline(answer),
            meaning=verdict_words.meaning(answer)[scale is not None :],
            limits=verdict_words.limits(answer),
            scale=scale,
            timeline=Timeline.of(answer),
            sprite=sprite,
            first=sprite.box(_peak(answer)) if sprite else "",
            moments=tuple(_moment(answer, moment, sprite) for moment in answer.moments),
            facts=[*_of_file(record), *_of_scoring(answer)],
        )

    @property
    def said(self) -> str:
        """What stands beside the picture that is shown first."""
        return self.timeline.marks[self.timeline.peak].words if self.timeline else ""


def _peak(answer: Detection) -> int:
    return max(range(len(answer.frames)), key=lambda place: answer.frames[place].value or 0.0, default=0)


def _moment(answer: Detection, moment: Moment, sprite: Sprite | None) -> ShownMoment:
    place = min(range(len(answer.frames)), key=lambda one: abs(answer.frames[one].time_s - moment.peak_s), default=0)
    scored = any(frame.score is not None for frame in answer.frames)
    starts, ends = clock(moment.start_s), clock(moment.end_s)
    return ShownMoment(
        seek_s=moment.peak_s,
        words=starts if starts == ends else f"{starts} to {ends}",
        said=weight(moment.score, scored=scored),
        box=sprite.box(place) if sprite else "",
    )


def _of_file(record: DetectionRecord) -> list[tuple[str, str]]:
    answer = record.answer
    assert answer is not None
    rows = [("Name", record.file), ("Size", f"{size(record.bytes)} ({record.bytes:,} bytes)")]
    if answer.facts:
        rows += _of_media(answer.facts)
    return [*rows, ("SHA-256", answer.sha256 or "can't be read"), ("Handed in", when(record.created))]


def _of_media(facts: FileFacts) -> list[tuple[str, str]]:
    rows = [("Kind", f"{facts.kind}, {facts.codec} in {facts.container}"), ("Picture", f"{facts.width} x {facts.height} pixels")]
    if facts.kind == "video":
        rows.append(("Length", f"{clock(facts.duration_s)}, {facts.frames:,} frames at {facts.fps:.4g} a second"))
    return rows


def _of_scoring(answer: Detection) -> list[tuple[str, str]]:
    rows = [("Detector", f"version {answer.model}")]
    if answer.score is not None:
        rows += [
            ("Frames looked at", f"{answer.looked_at:,}"),
            ("Score before calibration", f"{answer.score:.4f} (threshold of two words: {answer.threshold:.4f})"),
            ("Band of no verdict", f"probabilities of {answer.band.low:.3f} to {answer.band.high:.3f}"),
        ]
    taken = [f"{name} {seconds:.2f} s" for name, seconds in answer.seconds.items() if seconds]
    return [*rows, ("Time taken", ", ".join(taken))] if taken else rows
