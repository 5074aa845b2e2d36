"""Base classes and common field types of the documents in MongoDB.

A document is checked by pydantic before it is written and again when it is read. The server gets no ``$jsonSchema``: NX-27017 applies
it wrongly without an error, and the same validation runs for every server. Where which document is defined:

- ``index_documents``: what the manifests of the runs say, rebuilt at any time;
- ``user_documents``: what people and serving add, and what is computed of it, which no rebuild touches: ledger, feedback, takedowns,
  predictions, drift windows, gate results;
- ``detection_documents``: the result of a detection, and the record of an uploaded file;
- ``accounts``, ``api_keys``, ``worker_status``: next to the functions that read and write them.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
DatasetDigest = Annotated[str, Field(pattern="^[0-9a-f]{12,64}$", description="the digest that names a dataset version")]
SplitName = Literal["train", "val", "test"]
Label = Literal["real", "fake"]
MediaKind = Literal["image", "video"]


class DocumentPart(BaseModel):
    """A document or a part of one: frozen, and without any field that is not declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(DocumentPart):
    """A document of a collection; it is stored under ``_id``, the text of its ``KEY`` field.

    Class attributes:
        COLLECTION: the name of the collection.
        KEY: the field that holds the key.
        SET_FIELDS: fields that are sets: an upsert leaves them alone, and ``Store.add_to_set`` adds to them.
        UNIQUE: fields with a unique index.
        INDEXES: fields with an index.
        LIST_INDEXES: fields of lists with an index, on a real MongoDB only: see ``Store``.
    """

    COLLECTION: ClassVar[str]
    KEY: ClassVar[str]
    SET_FIELDS: ClassVar[tuple[str, ...]] = ()
    UNIQUE: ClassVar[tuple[str, ...]] = ()
    INDEXES: ClassVar[tuple[str, ...]] = ()
    LIST_INDEXES: ClassVar[tuple[str, ...]] = ()

    @property
    def key(self) -> str:
        """The key under which the document is stored."""
        return str(getattr(self, self.KEY))


class Membership(DocumentPart):
    """The membership of a media item in a dataset version, with its split."""

    version: DatasetDigest
    split: SplitName


def format_current_time() -> str:
    """Return the current time as documents hold it: UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def to_milliseconds(time: str) -> int:
    """Return a time in ISO 8601 with its offset in milliseconds since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)
