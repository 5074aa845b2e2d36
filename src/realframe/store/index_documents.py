"""Documents of the index: media, dataset versions, training runs, evaluations and registered models.

They are derived: ``realframe.store.index_sync`` writes them from the manifests of the runs and from the model registry.
"""

from typing import Any, Literal

from pydantic import Field

from realframe.store.document_base import DatasetDigest, Document, DocumentPart, Label, MediaKind, Membership, Sha256, SplitName


class Media(Document):
    """The facts of a media item and the dataset versions that hold it. Units as in ``data/media.parquet``."""

    COLLECTION = "media"
    KEY = "media_id"
    SET_FIELDS = ("datasets",)
    INDEXES = ("generator", "source")
    LIST_INDEXES = ("datasets.version",)

    media_id: Sha256
    path: str
    kind: MediaKind
    label: Label
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
    quantization: str = ""
    jpeg_quality: int = Field(default=0, ge=0, le=100)
    metadata: str = ""
    datasets: tuple[Membership, ...] = ()


class SplitCount(DocumentPart):
    """The number of items of one label and kind in a split."""

    split: SplitName
    label: Label
    kind: MediaKind
    items: int = Field(gt=0)


class Dataset(Document):
    """A dataset version: its size, and the commits and tags that point to it."""

    COLLECTION = "datasets"
    KEY = "version"
    SET_FIELDS = ("commits", "tags")

    version: DatasetDigest
    items: int = Field(ge=0)
    counts: tuple[SplitCount, ...]
    commits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class TrainingRun(Document):
    """A training run: its MLflow run, dataset and parameters, and the commits and branches that hold its model."""

    COLLECTION = "runs"
    KEY = "run_id"
    SET_FIELDS = ("commits", "branches")
    INDEXES = ("dataset",)

    run_id: str = Field(min_length=1)
    recipe: str
    backbone: str
    weights: str
    dataset: DatasetDigest
    params: dict[str, Any]
    best: dict[str, float]
    seconds: float = Field(ge=0)
    commits: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()


class MetricValue(DocumentPart):
    """A figure of merit on the test split with its 95 % interval; None if it is undefined."""

    unit: Literal["item", "frame"]
    name: str
    value: float | None
    low: float | None
    high: float | None


class Evaluation(Document):
    """The figures of a run's model and of its baseline; the key is a hash of both and of the run."""

    COLLECTION = "evaluations"
    KEY = "evaluation_id"
    INDEXES = ("run_id", "dataset")

    evaluation_id: Sha256
    run_id: str
    dataset: DatasetDigest
    threshold: float = Field(ge=0, le=1)
    figures: tuple[MetricValue, ...]
    baseline: tuple[MetricValue, ...]


class Model(Document):
    """A registered model version, without its aliases: they change, and only MLflow holds them."""

    COLLECTION = "models"
    KEY = "version"
    INDEXES = ("dataset", "run_id")

    version: int = Field(ge=1)
    run_id: str
    sha256: Sha256
    dataset: DatasetDigest
    commit: str
    recipe: str
    created: str


DERIVED: tuple[type[Document], ...] = (Media, Dataset, TrainingRun, Evaluation, Model)
"""The collections of the index."""
