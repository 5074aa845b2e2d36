"""Render detections as one HTML file that loads nothing and runs no script, to keep or to send to others."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from PIL import Image

from realframe.presentation import wording
from realframe.presentation.detection_view import DetectionView
from realframe.presentation.templating import create_template_environment
from realframe.store.detection_documents import Detection

DetectionWithImages = tuple[Detection, bytes | None, bytes | None]
"""A detection, and the bytes of its sprites ``FRAMES_SPRITE`` and ``HEATMAPS_SPRITE``; None where there are none."""


@dataclass(frozen=True)
class OverviewRow:
    """The row of a file in the overview.

    Attributes:
        file: as in its detection, like the next three.
        verdict: ``real``, ``ai-generated``, ``uncertain`` or ``not scored``.
        probability: that it is AI-generated; None where it was not scored, or the detector gives no verdict.
        interval: of the probability, in words; empty where there is none.
        basis: why there is no verdict, or by whose decision, in a few words; else empty.
        codes: of its cautions; of the error where it was not scored.
        section: the number of its section in the report, from 1; 0 where it has none.
    """

    file: str
    verdict: str
    probability: float | None
    interval: str
    basis: str
    codes: tuple[str, ...]
    section: int = 0

    @classmethod
    def from_detection(cls, detection: Detection) -> Self:
        """Return the row of a detection."""
        codes = (detection.code,) if detection.code else tuple(caution.code for caution in detection.cautions)
        probability, interval = wording.probability_to_show(detection), wording.describe_interval(detection)
        return cls(detection.file, detection.verdict, probability, interval, wording.summarize_basis(detection), codes)

    def with_section(self, section: int) -> Self:
        """Return the row with the number of its section."""
        return replace(self, section=section)


@dataclass(frozen=True)
class FramePicture:
    """The picture of a frame.

    Attributes:
        time_s: seconds since the first frame.
        frame: the frame as the detector saw it, a data URI.
        heat: the same frame with the heatmap over it, a data URI.
    """

    time_s: float
    frame: str
    heat: str


@dataclass(frozen=True)
class _Section:
    """One file with its pictures.

    Attributes:
        view: what is shown of it.
        pictures: of the frames that are shown, by their index; empty where there are none.
    """

    view: DetectionView
    pictures: dict[int, FramePicture]


def render_detection_report(detections: Sequence[DetectionWithImages], overview_rows: Sequence[OverviewRow] = ()) -> str:
    """Return the report.

    Args:
        detections: the files that get a section, in this order.
        overview_rows: the overview, where it holds more files than those; by default it is of ``detections``, if there are several.
    """
    sections = [_create_section(*answer) for answer in detections]
    own = [OverviewRow.from_detection(section.view.detection).with_section(place) for place, section in enumerate(sections, 1)]
    overview = list(overview_rows) or (own if len(own) > 1 else [])
    template = create_template_environment("realframe.reports").get_template("detections.html")
    return template.render(sections=sections, overview=overview, title=_title(own, overview))


def _title(own: Sequence[OverviewRow], overview: Sequence[OverviewRow]) -> str:
    return f"{len(overview):,} files" if overview else own[0].file


def _create_section(detection: Detection, frames: bytes | None, heat: bytes | None) -> _Section:
    view = DetectionView.from_detection(detection)
    wanted = [moment.frame for moment in view.moments] or [view.peak]
    pictures = _cut_pictures(view, frames, heat, wanted) if view.sprite and frames and heat else {}
    return _Section(view, pictures)


def _cut_pictures(view: DetectionView, frames: bytes, heat: bytes, wanted: Sequence[int]) -> dict[int, FramePicture]:
    sprite = view.sprite
    assert sprite is not None
    with Image.open(io.BytesIO(frames)) as frame_sheet, Image.open(io.BytesIO(heat)) as heat_sheet:
        return {
            index: FramePicture(
                time_s=view.detection.frames[sprite.nearest_frame(index)].time_s,
                frame=sprite.cut(frame_sheet, index),
                heat=sprite.cut(heat_sheet, index),
            )
            for index in wanted
        }
