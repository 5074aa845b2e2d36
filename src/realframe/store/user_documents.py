"""What people and the detector at work add to the store. No manifest says it again, so that no rebuild touches it."""

from typing import Literal

from pydantic import Field

from realframe.store.document_base import Document, Kind, Label, Membership, Part, Sha256


class Prediction(Document):
    """What a model version said of a file that it was given; the same file again replaces it.

    Attributes:
        prediction_id: the version and the file: ``<model>-<sha256>``.
        sha256: of the file's bytes.
        file: its name, without the folder.
        kind: of the file.
        model: the version.
        verdict: as it was given.
        probability: that it is AI-generated, calibrated.
        score: the same as the network gave it.
        features: the mean pooled features, as ``realframe.models.frame_features.as_text`` writes them.
        at: when, UTC, ISO 8601.
    """

    COLLECTION = "predictions"
    KEY = "prediction_id"
    INDEXES = ("model", "at", "sha256")

    prediction_id: str
    sha256: Sha256
    file: str
    kind: Kind
    model: int = Field(ge=1)
    verdict: Literal["real", "ai-generated", "uncertain"]
    probability: float = Field(ge=0, le=1)
    score: float = Field(ge=0, le=1)
    features: str
    at: str


class Feedback(Document):
    """What one person says that a file is; saying it again replaces it.

    Attributes:
        feedback_id: the file and the person: ``<sha256>-<by>``.
        media_id: the SHA-256 of the file.
        file: its name, without the folder.
        kept: the name under which the feedback folder keeps it.
        label: what the person says that it is.
        why: how the person knows.
        by: the person.
        at: when, UTC, ISO 8601.
    """

    COLLECTION = "feedback"
    KEY = "feedback_id"
    INDEXES = ("media_id",)

    feedback_id: str
    media_id: Sha256
    file: str
    kept: str
    label: Label
    why: str
    by: str = Field(min_length=1)
    at: str


class RegressionItem(Document):
    """A file that every later model is scored on; once in, it stays.

    Attributes:
        media_id: the SHA-256 of the file.
        label: what it is.
        kept: its path in the regression folder: ``<label>/<sha256>.<ext>``.
        file: its name as it was given.
        why: why it is in.
        by: who brought it in: one reviewer, or the two who agreed, with a comma between.
        at: when, UTC, ISO 8601.
    """

    COLLECTION = "regression"
    KEY = "media_id"

    media_id: Sha256
    label: Label
    kept: str
    file: str
    why: str
    by: str = Field(min_length=1)
    at: str


class Takedown(Document):
    """A request to use a media item no longer, and what it had touched by then.

    Attributes:
        media_id: the item.
        reason: why it must not be used.
        requested_by: who asked.
        at: when, UTC, ISO 8601.
        datasets: the dataset versions that hold it, and on which side.
        models: the model versions that came from them.
    """

    COLLECTION = "takedowns"
    KEY = "media_id"

    media_id: Sha256
    reason: str = Field(min_length=1)
    requested_by: str = Field(min_length=1)
    at: str
    datasets: tuple[Membership, ...]
    models: tuple[int, ...]


class Measure(Part):
    """One measure of a window: its value, its p-value (adjusted for the three), and whether it is beyond its limit."""

    name: Literal["score_psi", "score_ks", "feature_mmd"]
    value: float
    p: float
    beyond: bool


class DriftWindow(Document):
    """The predictions of a stretch of time, compared with what the model was trained and validated on.

    Attributes:
        window_id: the model and the window: ``<model>-n<items>-<number>`` or ``<model>-h<hours>-<hour>``.
        model: the version.
        begins: when its first prediction was made, UTC, ISO 8601.
        ends: when its last was.
        items: how many predictions it holds.
        measures: the comparison; none where the window holds too few items.
        drifting: one of the measures is beyond its limit.
        raised: an alarm was given when it was the newest.
        at: when it was measured, UTC, ISO 8601.
    """

    COLLECTION = "drift"
    KEY = "window_id"
    INDEXES = ("model",)

    window_id: str
    model: int = Field(ge=1)
    begins: str
    ends: str
    items: int = Field(ge=1)
    measures: tuple[Measure, ...]
    drifting: bool
    raised: bool
    at: str
