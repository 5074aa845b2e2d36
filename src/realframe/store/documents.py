"""What a document of each collection holds. It is checked here, before it is written, and again when it is read.

The server is given no ``$jsonSchema``: NX-27017 applies it wrongly without an error, and one check for all servers is one less to differ.
"""

from typing import Any, Literal

from pydantic import Field

from realframe.store.detection_documents import DetectionRecord
from realframe.store.document_base import Document, Membership, Part, Sha256, SplitName, Version
from realframe.store.user_documents import DriftWindow, Feedback, Prediction, RegressionItem, Takedown

Action = Literal["approve", "reject", "changes", "rollback", "timeout", "ungated", "removed"]
Via = Literal["cli", "airflow", "web", "mlflow"]
Authenticated = Literal["os", "airflow", "password", "none"]


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
    licence: str
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
    quantisation: str = ""
    jpeg_quality: int = Field(default=0, ge=0, le=100)
    metadata: str = ""
    datasets: tuple[Membership, ...] = ()


class Count(Part):
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


class Figure(Part):
    """A figure of merit on the test split with its 95 % interval; None where it can't be said."""

    level: Literal["item", "frame"]
    name: str
    value: float | None
    low: float | None
    high: float | None


class Evaluation(Document):
    """The figures of a run's model and those of its baseline; its key is a hash over them and the run."""

    COLLECTION = "evaluations"
    KEY = "evaluation_id"
    INDEXES = ("run_id", "dataset")

    evaluation_id: Sha256
    run_id: str
    dataset: Version
    threshold: float = Field(ge=0, le=1)
    figures: tuple[Figure, ...]
    baseline: tuple[Figure, ...]


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


class LedgerEntry(Document):
    """An entry of the ledger; its key is the hash of all else in it, and it holds the hash of the one before.

    Attributes:
        sequence: its place, from 1.
        previous: the hash of the entry before.
        action: what was decided; ``ungated`` and ``removed`` say that the alias ``champion`` was set or taken off past the review.
        version: the model version that it is about.
        model_sha256: of that version's Keras file.
        reviewer: who decided; empty where nobody did, or nobody knows.
        comment: why.
        evidence: what the reviewer was shown, and who was champion then.
        at: when, UTC, ISO 8601.
        via: the door that the decision came through.
        authenticated: what vouches for the reviewer's name.
        overrides: the rules that were not met and were overridden.
        reason: why they were overridden.
        hash: of all fields that the entry has; those from ``via`` on are None in an entry that was written without them.
    """

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
    via: Via | None = None
    authenticated: Authenticated | None = None
    overrides: tuple[str, ...] | None = None
    reason: str | None = None
    hash: Sha256


DERIVED: tuple[type[Document], ...] = (Media, Dataset, TrainingRun, Evaluation, Model)
"""What the manifests say again at any time; the rest is people's."""
DOCUMENTS: tuple[type[Document], ...] = (
    *DERIVED,
    LedgerEntry,
    Prediction,
    Feedback,
    RegressionItem,
    Takedown,
    DriftWindow,
    DetectionRecord,
)
