"""The scale under a verdict: where the probability lies, how sure that is, and where each verdict begins. All in per cent of its width.

An answer made ready for its page: the words, the drawings and the rows of facts.
"""

from dataclasses import dataclass
from typing import Self

from realframe.presentation import wording
from realframe.presentation.formatting import clock, size, weight, when
from realframe.presentation.sprites import Sprite, sprite_of
from realframe.presentation.timeline import Timeline
from realframe.store.detection_documents import Detection, DetectionRecord, FileFacts, Moment

_CLEAR = 34.0


@dataclass(frozen=True)
class Scale:
    """The scale from surely real, at the left, to surely AI-generated.

    Attributes:
        real: where ``real`` ends and ``uncertain`` begins.
        fake: where ``uncertain`` ends and ``ai-generated`` begins.
        at: the probability.
        low: where its interval begins; None where it has none.
        high: where its interval ends.
    """

    real: float
    fake: float
    at: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, detection: Detection) -> Self | None:
        """Return the scale of an answer; None where it was not scored."""
        if detection.probability is None:
            return None
        interval = detection.interval
        return cls(
            real=_percent(detection.band.low),
            fake=_percent(detection.band.high),
            at=_percent(detection.probability),
            low=_percent(interval.low) if interval else None,
            high=_percent(interval.high) if interval else None,
        )

    @property
    def words(self) -> str:
        """The scale as a sentence, for whoever can't see it."""
        sure = f", with 95 % confidence between {self.low:.0f} and {self.high:.0f} %" if self.low is not None else ""
        return (
            f"The probability that it is AI-generated is {self.at:.0f} %{sure}. "
            f"Below {self.real:.0f} % the verdict is real, above {self.fake:.0f} % AI-generated, between them uncertain."
        )

    @property
    def middle(self) -> float:
        """Where the words under the band stand, clear of those at both ends."""
        return min(max((self.real + self.fake) / 2, _CLEAR), 100 - _CLEAR)


def _percent(share: float) -> float:
    return round(100 * share, 2)


@dataclass(frozen=True)
class MomentView:
    """A suspicious moment: where the player goes to, its words, and its picture's box in the sprites (empty where there is none)."""

    seek_s: float
    words: str
    said: str
    box: str


@dataclass(frozen=True)
class DetectionView:
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
    moments: tuple[MomentView, ...]
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
            headline=wording.headline(answer),
            meaning=wording.meaning(answer)[scale is not None :],
            limits=wording.limits(answer),
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


def _moment(answer: Detection, moment: Moment, sprite: Sprite | None) -> MomentView:
    place = min(range(len(answer.frames)), key=lambda one: abs(answer.frames[one].time_s - moment.peak_s), default=0)
    scored = any(frame.score is not None for frame in answer.frames)
    starts, ends = clock(moment.start_s), clock(moment.end_s)
    return MomentView(
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
