"""The time as documents carry it.

What every document of the store is made of.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


def now() -> str:
    """Return the present, UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern="^[0-9a-f]{12,64}$", description="the digest that names a dataset")]
SplitName = Literal["train", "val", "test"]
Label = Literal["real", "fake"]
Kind = Literal["image", "video"]


class Part(BaseModel):
    """A part of a document, or a document: nothing that is not named, and nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Part):
    """A document; it is stored under ``_id`` = the text of its ``KEY`` field.

    ``GROWS`` are fields that are sets: an upsert leaves them alone, and ``Store.add`` adds to them.
    ``UNIQUE`` and ``INDEXES`` are fields with an index. A list is indexed on a real MongoDB only, see ``Store``.
    """

    COLLECTION: ClassVar[str]
    KEY: ClassVar[str]
    GROWS: ClassVar[tuple[str, ...]] = ()
    UNIQUE: ClassVar[tuple[str, ...]] = ()
    INDEXES: ClassVar[tuple[str, ...]] = ()
    LIST_INDEXES: ClassVar[tuple[str, ...]] = ()

    @property
    def key(self) -> str:
        """What it is stored under."""
        return str(getattr(self, self.KEY))


class Membership(Part):
    """A dataset version that a media item is in, and on which side."""

    version: Version
    split: SplitName
