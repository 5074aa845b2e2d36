"""What the detector says of files, as one HTML file: it loads nothing, runs no script, and can be sent to somebody else."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from realframe.presentation import wording
from realframe.presentation.sprites import Pair, Sprites
from realframe.presentation.timeline import Curve
from realframe.reports.report_data import environment
from realframe.store.detection_documents import Detection, Interval

WithPictures = tuple[Detection, bytes | None, bytes | None]
"""An answer, and the bytes of its ``frames.jpg`` and ``heat.jpg``; None where there are none."""


@dataclass(frozen=True)
class Line:
    """What the overview says of a file.

    Attributes:
        file: as it is named in its answer.
        verdict: as there.
        probability: as there.
        interval: as there.
        cautions: their codes; the code of the fault where it was not scored.
        section: the place of its own section in the page, from 1; 0 where it has none.
    """

    file: str
    verdict: str
    probability: float | None
    interval: Interval | None
    cautions: tuple[str, ...]
    section: int = 0

    @classmethod
    def of(cls, said: Detection) -> Self:
        """Return the line of an answer."""
        codes = (said.code,) if said.code else tuple(caution.code for caution in said.cautions)
        return cls(said.file, said.verdict, said.probability, said.interval, codes)

    def at(self, section: int) -> Self:
        """Return the same line of a file that has a section of its own."""
        return replace(self, section=section)


@dataclass(frozen=True)
class _Moment:
    words: str
    said: str
    pair: Pair | None


@dataclass(frozen=True)
class _Section:
    """One file made ready for the page."""

    said: Detection
    headline: str
    meaning: list[str]
    limits: list[str]
    curve: Curve | None
    moments: list[_Moment]
    first: Pair | None


def html(answers: Sequence[WithPictures], lines: Sequence[Line] = ()) -> str:
    """Return the report.

    Args:
        answers: the files that get a section of their own, in this order.
        lines: the overview, where it holds more files than those; by default it is of ``answers``, if there are several.
    """
    sections = [_section(*answer) for answer in answers]
    own = [Line.of(section.said).at(place) for place, section in enumerate(sections, 1)]
    overview = list(lines) or (own if len(own) > 1 else [])
    template = environment(html=True).get_template("detections.html")
    return template.render(sections=sections, overview=overview, words=wording, title=_title(own, overview))


def _title(own: Sequence[Line], overview: Sequence[Line]) -> str:
    return f"{len(overview):,} files" if overview else own[0].file


def _section(said: Detection, frames: bytes | None, heat: bytes | None) -> _Section:
    sprites = Sprites(said, frames, heat) if said.tiles and frames and heat else None
    peak = _peak_s(said)
    return _Section(
        said=said,
        headline=wording.headline(said),
        meaning=wording.meaning(said),
        limits=wording.limits(said),
        curve=Curve.of(said),
        moments=[_Moment(wording.when(m), _weight(said, m.score), sprites.near(m.peak_s) if sprites else None) for m in said.moments],
        first=sprites.near(peak) if sprites and not said.moments else None,
    )


def _peak_s(said: Detection) -> float:
    """Return the time of the frame that speaks most for AI-generated, or of the first one."""
    return max(said.frames, key=lambda frame: frame.value or 0.0).time_s if said.frames else 0.0


def _weight(said: Detection, score: float) -> str:
    by_attention = said.frames[0].score is None
    return f"{wording.percent(score)} of the attention" if by_attention else f"score {score:.2f}"
