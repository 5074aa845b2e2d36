"""Prepare a detection for display: its words, drawings and table of facts, the same for the page and the HTML report."""

from dataclasses import dataclass
from typing import Self

from realframe.presentation import wording
from realframe.presentation.formatting import bound_probability, format_clock, format_count, format_figure, format_size, format_timestamp
from realframe.presentation.sprites import Sprite
from realframe.presentation.timeline import Timeline
from realframe.provenance.origin import CheckState, FileCheck
from realframe.store.detection_documents import Caution, Detection, DetectionRecord, FileFacts, Moment

_LABEL_MARGIN = 34.0  # percent of the scale's width that the labels at its ends need


@dataclass(frozen=True)
class Scale:
    """The drawing of a probability on the scale from real, at the left, to AI-generated; all positions in percent of its width.

    Attributes:
        real_end: where ``real`` ends and ``uncertain`` begins.
        fake_start: where ``uncertain`` ends and ``ai-generated`` begins.
        probability: position of the probability.
        low: where its interval begins; None where it has none.
        high: where its interval ends.
        label: the scale as a sentence, for screen readers.
        band: which probabilities lead to which verdict, as a sentence.
    """

    real_end: float
    fake_start: float
    probability: float
    low: float | None
    high: float | None
    label: str
    band: str

    @classmethod
    def from_detection(cls, detection: Detection) -> Self | None:
        """Return the scale of a detection; None where the file was not scored, or gets no verdict whatever its probability."""
        probability, interval = wording.probability_to_show(detection), detection.interval
        if probability is None or detection.band is None:
            return None
        band = wording.describe_band(detection.band)
        return cls(
            real_end=_position(detection.band.low),
            fake_start=_position(detection.band.high),
            probability=_position(probability),
            low=_position(bound_probability(interval.low)) if interval else None,
            high=_position(bound_probability(interval.high)) if interval else None,
            label=f"{wording.describe_verdict(detection)[0]} {band}",
            band=band,
        )

    @property
    def label_x(self) -> float:
        """Position of the word ``uncertain`` under the band, clear of the words at both ends."""
        return min(max((self.real_end + self.fake_start) / 2, _LABEL_MARGIN), 100 - _LABEL_MARGIN)


@dataclass(frozen=True)
class MomentView:
    """A suspicious moment.

    Attributes:
        seek_s: where a player goes to, seconds.
        time: from when to when.
        value: the score of its most suspicious frame, in words.
        frame: index of that frame.
        box: of its picture in the sprite sheets, an SVG ``viewBox``; empty where there is none.
    """

    seek_s: float
    time: str
    value: str
    frame: int
    box: str


@dataclass(frozen=True)
class CheckView:
    """A check of the file, beside its score.

    Attributes:
        name: what was looked for.
        state: ``found``, ``not-found`` or ``could-not-check``.
        outcome: the state in words.
        reason: why it could not be checked, or what of it could not be read; else empty.
    """

    name: str
    state: CheckState
    outcome: str
    reason: str

    @classmethod
    def from_check(cls, check: FileCheck) -> Self:
        """Prepare a check."""
        return cls(wording.CHECK_NAMES[check.name], check.state, wording.CHECK_STATES[check.state], check.reason)


@dataclass(frozen=True)
class DetectionView:
    """What a page or a report shows of a detection.

    Attributes:
        detection: the detection.
        headline: the verdict in a few words.
        meaning: what it means, in sentences.
        limitations: what the detector cannot judge, in sentences.
        interval: the 95 % interval of the probability; empty where there is none.
        scale: the drawing of the probability; None where the file was not scored.
        timeline: the drawing of the frames over time; None where nothing changes over time, or the detector gives no verdict.
        sprite: the pictures of the frames; None where there are none.
        peak: index of the most suspicious frame.
        moments: the most suspicious first; empty where the detector gives no verdict.
        checks: of the file, beside its score.
        facts: names and values: of the file, then of how it was scored.
    """

    detection: Detection
    headline: str
    meaning: list[str]
    limitations: list[str]
    interval: str
    scale: Scale | None
    timeline: Timeline | None
    sprite: Sprite | None
    peak: int
    moments: tuple[MomentView, ...]
    checks: tuple[CheckView, ...]
    facts: list[tuple[str, str]]

    @classmethod
    def from_detection(cls, detection: Detection, record: DetectionRecord | None = None) -> Self:
        """Prepare a detection.

        Args:
            detection: the detection.
            record: of the upload that it belongs to; None where the file was not uploaded.
        """
        sprite, is_judged = Sprite.from_tiles(detection.tiles), not wording.is_withheld(detection)
        return cls(
            detection=detection,
            headline=wording.verdict_headline(detection),
            meaning=wording.describe_verdict(detection),
            limitations=wording.describe_limitations(detection),
            interval=wording.describe_interval(detection),
            scale=Scale.from_detection(detection),
            timeline=Timeline.from_detection(detection) if is_judged else None,
            sprite=sprite,
            peak=max(range(len(detection.frames)), key=lambda index: detection.frames[index].value or 0.0, default=0),
            moments=tuple(_moment(detection, moment, sprite) for moment in detection.moments) if is_judged else (),
            checks=tuple(CheckView.from_check(check) for check in detection.checks),
            facts=[*_file_facts(detection, record), *_scoring_facts(detection)],
        )

    @classmethod
    def from_record(cls, record: DetectionRecord) -> Self | None:
        """Prepare the detection of an uploaded file; None where there is none yet."""
        return cls.from_detection(record.result, record) if record.result else None

    @property
    def is_withheld(self) -> bool:
        """Whether the file was scored, but gets no verdict; ``meaning`` then begins with the reason."""
        return wording.is_withheld(self.detection)

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """The cautions that ``meaning`` does not state yet."""
        return tuple(caution for caution in self.detection.cautions if caution.message not in self.meaning)

    @property
    def peak_box(self) -> str:
        """The picture of the most suspicious frame in the sprite sheets, an SVG ``viewBox``; empty where there is none."""
        return self.sprite.box(self.peak) if self.sprite else ""

    @property
    def peak_caption(self) -> str:
        """Time and score of the most suspicious frame; empty for an image."""
        return self.timeline.marks[self.timeline.peak].text if self.timeline else ""


def _position(share: float) -> float:
    return round(100 * share, 2)


def _moment(detection: Detection, moment: Moment, sprite: Sprite | None) -> MomentView:
    frames = detection.frames
    peak = min(range(len(frames)), key=lambda index: abs(frames[index].time_s - moment.peak_s), default=0)
    return MomentView(
        seek_s=moment.peak_s,
        time=wording.describe_moment(moment),
        value=wording.describe_frame_value(moment.score, scored=any(frame.score is not None for frame in frames)),
        frame=peak,
        box=sprite.box(peak) if sprite else "",
    )


def _file_facts(detection: Detection, record: DetectionRecord | None) -> list[tuple[str, str]]:
    rows = [("Name", record.file if record else detection.file)]
    size = record.bytes if record else detection.facts.bytes if detection.facts else None
    if size is not None:
        rows.append(("Size", f"{format_size(size)} ({size:,} bytes)"))
    if detection.facts:
        rows += _media_facts(detection.facts)
    rows.append(("SHA-256", detection.sha256 or "cannot be read"))
    return [*rows, ("Uploaded", format_timestamp(record.created))] if record else rows


def _media_facts(facts: FileFacts) -> list[tuple[str, str]]:
    rows = [("Kind", f"{facts.kind}, {facts.codec} in {facts.container}"), ("Picture", f"{facts.width} x {facts.height} pixels")]
    if facts.kind == "video":
        rows.append(("Length", f"{format_clock(facts.duration_s)}, {facts.frames:,} frames at {facts.fps:.4g} per second"))
    return rows


def _scoring_facts(detection: Detection) -> list[tuple[str, str]]:
    rows = [("Detector", f"version {detection.model}")]
    if detection.score is not None and detection.probability is not None and detection.band is not None:
        interval, band = detection.interval, detection.band
        bounds = f", 95 % interval {_probability(interval.low)} to {_probability(interval.high)}" if interval else ""
        doubt = "; it supports no verdict" if wording.is_withheld(detection) else ""
        rows += [
            ("Frames scored", format_count(detection.frames_analyzed)),
            ("Score before calibration", f"{detection.score:.4f} (threshold without an uncertain band: {detection.threshold:.4f})"),
            ("Calibrated probability", f"{_probability(detection.probability)}{bounds}{doubt}"),
            ("Uncertain band", "all probabilities" if detection.abstention else f"probabilities of {band.low:.3f} to {band.high:.3f}"),
        ]
    if detection.code:
        rows.append(("Error", detection.code))
    steps = [f"{name} {seconds:.2f} s" for name, seconds in detection.seconds.items() if seconds]
    return [*rows, ("Processing time", ", ".join(steps))] if steps else rows


def _probability(probability: float) -> str:
    return format_figure(bound_probability(probability), 4)
