"""What the API answers with, as far as the store has no shape for it."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from realframe.store.detection_documents import Detection, DetectionRecord, Lane, Progress, State

PREFIX = "/api/v1"


class Links(BaseModel):
    """Where to go on from a record; null where there is nothing (yet, or any more)."""

    self: str
    events: str
    feedback: str
    page: str = Field(description="for people")
    media: str | None = Field(description="the file itself, where it was recognised as media")
    frames: str | None = Field(description="a sprite of the frames that were looked at; `answer.tiles` says how they lie")
    heat: str | None = Field(description="the same frames with what spoke for AI-generated marked")
    report: str | None = Field(description="the answer as one HTML file, to be kept")

    @classmethod
    def of(cls, record: DetectionRecord) -> Self:
        """Return the links of a record."""
        here, answer = f"{PREFIX}/detections/{record.key}", record.answer
        kept = record.media and answer is not None
        shown = kept and answer is not None and answer.tiles is not None
        return cls(
            self=here,
            events=f"{here}/events",
            feedback=f"{here}/feedback",
            page=f"/detections/{record.key}",
            media=f"{here}/media" if kept and answer is not None and answer.facts else None,
            frames=f"{here}/frames.jpg" if shown else None,
            heat=f"{here}/heat.jpg" if shown else None,
            report=f"{here}/report.html" if answer else None,
        )


class Record(BaseModel):
    """A file that was handed in, and its answer once there is one."""

    detection_id: str = Field(description="32 hex digits; later ones are higher", examples=["18b0a1c2d3e4f5061a2b3c4d5e6f7081"])
    owner: str = Field(description="the account that handed it in")
    file: str = Field(description="its name, without a folder", examples=["clip.mp4"])
    bytes: int = Field(ge=0)
    batch: str = Field(description="16 hex digits of files that were handed in together, or empty")
    lane: Lane = Field(description="`live` is scored before `batch`")
    created: str = Field(description="when it was accepted, UTC, ISO 8601")
    state: State = Field(description="`done`: scored, or told why not")
    progress: Progress
    finished: str = Field(description="when it was done, UTC, ISO 8601; empty until then")
    answer: Detection | None
    verdict: str = Field(description="that of the answer: `real`, `ai-generated`, `uncertain`, `not scored`; empty until it is done")
    model: str = Field(description="the version that answered; empty until it is done")
    media: bool = Field(description="whether the file and its pictures are still kept")
    links: Links

    @classmethod
    def of(cls, record: DetectionRecord) -> Self:
        """Return what of a record is told."""
        told = {name: getattr(record, name) for name in cls.model_fields if name != "links"}
        return cls(**told, links=Links.of(record))


class Records(BaseModel):
    """A page of records, the newest first."""

    items: list[Record]
    next: str | None = Field(description="the cursor of the next page; null on the last one")


class Opinion(BaseModel):
    """What somebody says that a file is."""

    label: Literal["real", "fake"] = Field(description="`fake` is AI-generated")
    why: str = Field(default="", max_length=2000, description="how they know")


class Said(BaseModel):
    """What people say of a file by now."""

    media_id: str = Field(description="the SHA-256 of the file")
    state: Literal["waits", "agreed", "disputed", "taken in"] = Field(
        description="two who agree, and nobody who does not, make it `agreed`"
    )
    said: list[Opinion]
