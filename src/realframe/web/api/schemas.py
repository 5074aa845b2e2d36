"""The JSON resources of the API."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from realframe.feedback.feedback_labels import LabelCase, LabelState
from realframe.presentation.wording import SCOPE, describe_basis
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, Detection, DetectionRecord, Lane, Progress, State

PREFIX = "/api/v1"


class DetectionLinks(BaseModel):
    """The addresses of a detection's resources; null if a resource does not exist."""

    self: str
    events: str
    feedback: str
    page: str = Field(description="the web page")
    media: str | None = Field(description="the uploaded file, if it is an image or a video")
    frames: str | None = Field(description="a sprite of the analyzed frames; `result.tiles` describes its layout")
    heatmaps: str | None = Field(description="the same sprite with heatmaps (Grad-CAM) of the regions that raised the score")
    report: str | None = Field(description="the result as one HTML file")

    @classmethod
    def from_record(cls, record: DetectionRecord) -> Self:
        """Return the links of a record."""
        address, result = f"{PREFIX}/detections/{record.key}", record.result
        has_media = record.has_files and result is not None and result.facts is not None
        has_sprites = record.has_files and result is not None and result.tiles is not None
        return cls(
            self=address,
            events=f"{address}/events",
            feedback=f"{address}/feedback",
            page=f"/detections/{record.key}",
            media=f"{address}/media" if has_media else None,
            frames=f"{address}/{FRAMES_SPRITE}" if has_sprites else None,
            heatmaps=f"{address}/{HEATMAPS_SPRITE}" if has_sprites else None,
            report=f"{address}/report.html" if result else None,
        )


class DetectionResource(BaseModel):
    """An uploaded file, with its result once it is done."""

    detection_id: str = Field(description="32 hex digits, increasing with time", examples=["18b0a1c2d3e4f5061a2b3c4d5e6f7081"])
    owner: str = Field(description="the account that uploaded the file")
    file: str = Field(description="the name of the file, without a folder", examples=["clip.mp4"])
    bytes: int = Field(ge=0)
    batch: str = Field(description="16 hex digits that the files of a batch share, or empty")
    lane: Lane = Field(description="`live` files are scored before `batch` files")
    created: str = Field(description="when the upload was accepted, UTC, ISO 8601")
    state: State = Field(description="`done`: scored, or refused with a reason")
    progress: Progress
    finished: str = Field(description="when the result was written, UTC, ISO 8601; empty until then")
    result: Detection | None
    verdict: str = Field(description="the result's verdict: `real`, `ai-generated`, `uncertain`, `not scored`; empty until it is done")
    basis: str = Field(
        description="why the detector gives no verdict on files of this kind, so that it is `uncertain`, or why a reviewer decided that it "
        "gives one all the same; empty where the verdict follows from the probability alone"
    )
    scope: str = Field(description="what no verdict is about", examples=[SCOPE])
    model: str = Field(description="the model version of the result; empty until it is done")
    has_files: bool = Field(description="whether the file and its pictures are still stored")
    links: DetectionLinks

    @classmethod
    def from_record(cls, record: DetectionRecord) -> Self:
        """Return the public fields of a record."""
        fields = {name: getattr(record, name) for name in cls.model_fields if name in DetectionRecord.model_fields}
        basis = describe_basis(record.result) if record.result else ""
        return cls(**fields, basis=basis, scope=SCOPE, links=DetectionLinks.from_record(record))


class DetectionPage(BaseModel):
    """A page of detections, newest first."""

    items: list[DetectionResource]
    next_cursor: str | None = Field(description="the cursor of the next page; null on the last one")


class FileLabel(BaseModel):
    """What a person says that a file is."""

    label: Literal["real", "fake"] = Field(description="`fake` is AI-generated")
    reason: str = Field(default="", max_length=2000, description="how the person knows")


class FileLabels(BaseModel):
    """All labels of a file."""

    media_id: str = Field(description="the SHA-256 of the file")
    state: LabelState = Field(description="`agreed`: at least two people give the same label, and nobody the other one")
    labels: list[FileLabel]

    @classmethod
    def from_case(cls, case: LabelCase) -> Self:
        """Return the labels without the names of the people."""
        labels = [FileLabel(label=vote.label, reason=vote.reason) for vote in case.votes]
        return cls(media_id=case.media_id, state=case.state, labels=labels)
