"""What a document of each collection holds. It is checked here, before it is written, and again when it is read.

The server is given no ``$jsonSchema``: NX-27017 applies it wrongly without an error, and one check for all servers is one less to differ.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern="^[0-9a-f]{12,64}$", description="the digest that names a dataset")]
SplitName = Literal["train", "val", "test"]
Action = Literal["approve", "reject", "rollback", "timeout"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(_Part):
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


class Membership(_Part):
    """A dataset version that a media item is in, and on which side."""

    version: Version
    split: SplitName


class Media(Document):
    """The facts of one media item, and the dataset versions that it is in. Units as in ``data/media.parquet``."""

    COLLECTION = "media"
    KEY = "media_id"
    GROWS = ("datasets",)
    INDEXES = ("generator", "source")
    LIST_INDEXES = ("datasets.version",)

    media_id: Sha256
    path: str
    kind: Literal["image", "video"]
    label: Literal["real", "fake"]
    generator: str
    source: str
    group: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    rotation: int
    fps: float = Field(ge=0)
    variable_fps: bool
    frames: int = Field(ge=0)
    duration_s: float = Field(ge=0)
    codec: str
    container: str
    bytes: int = Field(gt=0)
    datasets: tuple[Membership, ...] = ()


class Count(_Part):
    """How many items of a label and kind a split holds."""

    split: SplitName
    label: Literal["real", "fake"]
    kind: Literal["image", "video"]
    items: int = Field(gt=0)


class Dataset(Document):
    """A dataset version: what it holds, and the commits and tags that carry it."""

    COLLECTION = "datasets"
    KEY = "version"
    GROWS = ("commits", "tags")

    version: Version
    items: int = Field(ge=0)
    counts: tuple[Count, ...]
    commits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class TrainingRun(Document):
    """A training: its MLflow run, what it trained on and how, and the commits and branches that carry its model."""

    COLLECTION = "runs"
    KEY = "run_id"
    GROWS = ("commits", "branches")
    INDEXES = ("dataset",)

    run_id: str = Field(min_length=1)
    recipe: str
    backbone: str
    weights: str
    dataset: Version
    params: dict[str, Any]
    best: dict[str, float]
    seconds: float = Field(ge=0)
    commits: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()


class Figure(_Part):
    """A figure of merit on the test split with its 95 % interval; None where it can't be said."""

    level: Literal["item", "frame"]
    name: str
    value: float | None
    low: float | None
    high: float | None


class Evaluation(Document):
    """The figures of a run's model and those of its floor; its key is a hash over them and the run."""

    COLLECTION = "evaluations"
    KEY = "evaluation_id"
    INDEXES = ("run_id", "dataset")

    evaluation_id: Sha256
    run_id: str
    dataset: Version
    threshold: float = Field(ge=0, le=1)
    figures: tuple[Figure, ...]
    floor: tuple[Figure, ...]


class Model(Document):
    """A registered model version. Its aliases change and are MLflow's alone."""

    COLLECTION = "models"
    KEY = "version"
    INDEXES = ("dataset", "run_id")

    version: int = Field(ge=1)
    run_id: str
    sha256: Sha256
    dataset: Version
    commit: str
    recipe: str
    created: str


class Entry(Document):
    """An entry of the ledger; its key is the hash of all else in it, and it holds the hash of the one before."""

    COLLECTION = "ledger"
    KEY = "hash"
    UNIQUE = ("sequence",)

    sequence: int = Field(ge=1)
    previous: str
    action: Action
    version: int = Field(ge=1)
    model_sha256: Sha256
    reviewer: str
    comment: str
    evidence: dict[str, Any]
    at: str
    hash: Sha256


DOCUMENTS: tuple[type[Document], ...] = (Media, Dataset, TrainingRun, Evaluation, Model, Entry)
DERIVED: tuple[type[Document], ...] = (Media, Dataset, TrainingRun, Evaluation, Model)  # the manifests say it again; the rest is people's
