"""Documents that people and serving add: ledger entries, predictions, feedback, regression set, takedowns, drift windows, gate results.

No manifest holds them, so a rebuild of the index leaves them alone; it only removes gate results of versions that are not registered.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from realframe.statistics.conformal import Verdict
from realframe.store.document_base import Document, DocumentPart, Label, MediaKind, Membership, Sha256, to_milliseconds

Action = Literal["approve", "reject", "request_changes", "rollback", "timeout", "alias_set", "alias_removed", "settle"]
Channel = Literal["cli", "airflow", "web", "mlflow"]
Authentication = Literal["os", "airflow", "password", "none"]
JUDGED_KINDS = "judged_kinds"
"""Key of a ledger entry's evidence: kinds that the version judges by this approval alone, with the reviewer's reason."""


class LedgerEntry(Document):
    """An entry of the ledger of decisions; its key is the hash of all other fields, among them the hash of the previous entry.

    Attributes:
        sequence: position in the ledger, from 1.
        previous_hash: hash of the previous entry.
        action: the decision; ``alias_set`` and ``alias_removed`` record a change of the alias ``champion`` in MLflow without a review,
            ``settle`` that a person has looked into alarms about the ledger.
        version: number of the model version; 0 for ``settle``, which is about the ledger.
        model_sha256: SHA-256 of that version's Keras file; zeros for ``settle``.
        reviewer: who decided; empty if nobody did, or if it is unknown.
        comment: the reviewer's reason.
        evidence: what the reviewer saw, and the champion at that time.
        created: when the entry was written, UTC, ISO 8601.
        channel: where the decision was entered.
        authentication: how the reviewer's name was verified.
        overrides: the gate rules that failed and were overridden.
        override_reason: why they were overridden.
        hash: SHA-256 over all fields of the entry; an entry that was written without the fields from ``channel`` on has None in them.
    """

    COLLECTION = "ledger"
    KEY = "hash"
    UNIQUE = ("sequence",)

    sequence: int = Field(ge=1)
    previous_hash: str
    action: Action
    version: int = Field(ge=0)
    model_sha256: Sha256
    reviewer: str
    comment: str
    evidence: dict[str, Any]
    created: str
    channel: Channel | None = None
    authentication: Authentication | None = None
    overrides: tuple[str, ...] | None = None
    override_reason: str | None = None
    hash: Sha256


class Prediction(Document):
    """The prediction of a registered model version for a file; a later one for the same file replaces it.

    Attributes:
        prediction_id: ``<model>-<sha256>``.
        sha256: SHA-256 of the file.
        file: name of the file, without its folder.
        kind: ``image`` or ``video``.
        model: number of the model version.
        verdict: the detector's verdict.
        probability: calibrated probability that the file is AI-generated.
        score: the score before calibration.
        features: the mean pooled features, as ``realframe.models.frame_features.encode_vector`` writes them.
        created: when the prediction was made, UTC, ISO 8601.
        created_ms: the same in milliseconds since 1970, for queries: the embedded store compares times in texts by the second.
    """

    COLLECTION = "predictions"
    KEY = "prediction_id"
    INDEXES = ("model", "created_ms", "sha256")

    prediction_id: str
    sha256: Sha256
    file: str
    kind: MediaKind
    model: int = Field(ge=1)
    verdict: Verdict
    probability: float = Field(ge=0, le=1)
    score: float = Field(ge=0, le=1)
    features: str
    created: str
    created_ms: int = 0

    @model_validator(mode="before")
    @classmethod
    def _derive_created_ms(cls, values: dict[str, Any]) -> dict[str, Any]:
        return values if "created_ms" in values else values | {"created_ms": to_milliseconds(values["created"])}


class Feedback(Document):
    """One person's label of a file; a later label by the same person replaces it.

    Attributes:
        feedback_id: ``<sha256>-<person>``.
        media_id: SHA-256 of the file.
        file: name of the file, without its folder.
        stored_name: name of the copy in the feedback folder.
        label: the person's label.
        reason: how the person knows.
        person: who gave the label.
        created: when the label was given, UTC, ISO 8601.
    """

    COLLECTION = "feedback"
    KEY = "feedback_id"
    INDEXES = ("media_id",)

    feedback_id: str
    media_id: Sha256
    file: str
    stored_name: str
    label: Label
    reason: str
    person: str = Field(min_length=1)
    created: str


class RegressionItem(Document):
    """A file of the regression set, on which every later model is scored; it is never removed from the set, unless it is taken down.

    Attributes:
        media_id: SHA-256 of the file.
        label: the true label.
        path: path in the regression folder: ``<label>/<sha256>.<ext>``.
        file: original name of the file.
        reason: why it is in the set.
        added_by: one reviewer, or the people who agreed on the label, separated by commas.
        created: when it was added, UTC, ISO 8601.
    """

    COLLECTION = "regression"
    KEY = "media_id"

    media_id: Sha256
    label: Label
    path: str
    file: str
    reason: str
    added_by: str = Field(min_length=1)
    created: str


class Takedown(Document):
    """A request to stop using a media item, and the versions that it had affected by then.

    Attributes:
        media_id: SHA-256 of the item.
        reason: why it must not be used.
        requested_by: who asked.
        created: when the request was recorded, UTC, ISO 8601.
        datasets: the dataset versions that hold the item, with its split.
        models: numbers of the model versions trained on them.
    """

    COLLECTION = "takedowns"
    KEY = "media_id"

    media_id: Sha256
    reason: str = Field(min_length=1)
    requested_by: str = Field(min_length=1)
    created: str
    datasets: tuple[Membership, ...]
    models: tuple[int, ...]


class DriftMeasure(DocumentPart):
    """One drift measure of a window: its value, its p-value (adjusted for the three measures), and whether it exceeds its limit."""

    name: Literal["score_psi", "score_ks", "feature_mmd"]
    value: float
    p_value: float
    exceeds_limit: bool


class DriftWindow(Document):
    """A window of consecutive predictions, compared with the model's training reference.

    Attributes:
        window_id: ``<model>-n<items>-<number>`` or ``<model>-h<hours>-<hour>``; later windows of a size have higher ids.
        model: number of the model version.
        size: ``n<items>`` or ``h<hours>``.
        start: time of its first prediction, UTC, ISO 8601.
        end: time of its last prediction.
        last_prediction: key of its last prediction; the next window begins after it.
        items: number of predictions.
        is_measured: whether the window, and the reference, hold enough items for a comparison.
        measures: the comparison; empty if it is not measured.
        is_drifting: whether any measure exceeds its limit.
        alarm_raised: whether an alarm was raised when this window was the latest one.
        created: when the window was measured, UTC, ISO 8601.
    """

    COLLECTION = "drift"
    KEY = "window_id"
    INDEXES = ("model",)

    window_id: str
    model: int = Field(ge=1)
    size: str
    start: str
    end: str
    last_prediction: str
    items: int = Field(ge=1)
    is_measured: bool
    measures: tuple[DriftMeasure, ...]
    is_drifting: bool
    alarm_raised: bool
    created: str


class RuleRecord(DocumentPart):
    """The outcome of one rule; ``is_met`` is None where it is unknown."""

    name: str
    is_met: bool | None
    observed: str
    required: str


class MistakeRecord(DocumentPart):
    """A misclassified item: path of its original, true label, and the network's score."""

    path: str
    label: str
    score: float


class GateRecord(Document):
    """The gate's result for a version, with the comparison that a reviewer reads next to it; it can be computed again at any time.

    Attributes:
        digest: SHA-256 of what the result depends on.
        version: number of the version.
        champion: number of the champion that it was compared with; None if there is no other one.
        rules: the outcome of each rule, in the order of the rules file.
        figures: one row per metric: its name, and the value of each version.
        changes: one row per difference in how the versions were made.
        warnings: what a reviewer must not overlook.
        mistakes: the worst mistakes of the version, the worst first.
        created: when the result was computed, UTC, ISO 8601.
    """

    COLLECTION = "gate_results"
    KEY = "digest"

    digest: Sha256
    version: int = Field(ge=1)
    champion: int | None
    rules: tuple[RuleRecord, ...]
    figures: tuple[tuple[str, ...], ...]
    changes: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]
    mistakes: tuple[MistakeRecord, ...]
    created: str
