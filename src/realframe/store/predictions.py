"""Store and query the predictions of registered versions.

`realframe drift` compares the files of today with those of the training through them.
"""

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from realframe.models import frame_features
from realframe.statistics.conformal import Verdict
from realframe.store.detection_documents import Detection
from realframe.store.document_base import format_current_time, to_milliseconds
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction, Takedown

_CHUNK = 1000  # keys in one query


class PredictedScore(NamedTuple):
    """The time, the key and the score (not calibrated) of a prediction: what is read of many, since the features are large."""

    created: str
    prediction_id: str
    score: float


class ScoredFile(Protocol):
    """The result of scoring a file; ``realframe.detection.result.DetectionResult`` is one."""

    @property
    def detection(self) -> Detection:
        """What is stored of the file."""

    @property
    def features(self) -> NDArray[np.float32] | None:
        """The mean features of the file; None where it has no score."""


def store_predictions(store: Store, results: Iterable[ScoredFile]) -> int:
    """Store the predictions of a registered version; return how many are new.

    Files without a score, files that this version has scored before, files that were taken down, and results of a model that is not
    registered are skipped. Of the file itself only the name and the digest are stored.
    """
    predictions = [prediction for result in results if (prediction := _build_prediction(result))]
    new = [one for one in predictions if not store.get(Takedown, one.sha256) and not store.get(Prediction, one.key)]
    store.upsert(new)
    return len(new)


def list_predicted_scores(
    store: Store, model: int, after: PredictedScore | None, *, limit: int = 0, before: str = ""
) -> list[PredictedScore]:
    """Return the scores of a version's predictions, the oldest first.

    Args:
        store: the store.
        model: number of the version.
        after: only later ones than this.
        limit: at most so many; 0 for all.
        before: only those created before this time, ISO 8601; empty for all.
    """
    found: list[dict[str, Any]] = []
    created: dict[str, Any] = {"$lt": to_milliseconds(before)} if before else {}
    if after:  # those of the same millisecond first, which are ordered by key
        found = store.find_fields(Prediction, PredictedScore._fields, _query_same_time(model, after), ("prediction_id",), limit)
        created["$gt"] = to_milliseconds(after.created)
    if not limit or len(found) < limit:
        query = {"model": model} | ({"created_ms": created} if created else {})
        rest = limit - len(found) if limit else 0
        found += store.find_fields(Prediction, PredictedScore._fields, query, ("created_ms", "prediction_id"), rest)
    return [PredictedScore(row["created"], row["prediction_id"], float(row["score"])) for row in found]


def count_predictions_after(store: Store, model: int, after: PredictedScore | None) -> int:
    """Return the number of a version's predictions that are later than one of them; by default of all."""
    if after is None:
        return store.count(Prediction, {"model": model})
    later = {"model": model, "created_ms": {"$gt": to_milliseconds(after.created)}}
    return store.count(Prediction, _query_same_time(model, after)) + store.count(Prediction, later)


def _query_same_time(model: int, after: PredictedScore) -> dict[str, Any]:
    return {"model": model, "created_ms": to_milliseconds(after.created), "prediction_id": {"$gt": after.prediction_id}}


def load_features(store: Store, prediction_ids: Sequence[str]) -> NDArray[np.float32]:
    """Return the features of predictions, (n, width); those that were deleted in the meantime are left out."""
    rows = store.find_fields(Prediction, ("features",), {"_id": {"$in": list(prediction_ids)}})
    return np.stack([frame_features.decode_vector(row["features"]) for row in rows]) if rows else np.empty((0, 0), np.float32)


def compare_verdicts(store: Store, model: int, other: int, limit: int) -> list[tuple[Verdict, Verdict]]:
    """Return both verdicts of each file that both versions scored, of the newest ``limit`` predictions of ``model``."""
    fields = ("sha256", "verdict")
    newest = store.find_fields(Prediction, fields, {"model": model}, ("created_ms",), limit, descending=True)
    verdicts = {row["sha256"]: row["verdict"] for row in newest}
    keys = [f"{other}-{sha256}" for sha256 in verdicts]
    chunks = [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]
    others = [row for chunk in chunks for row in store.find_fields(Prediction, fields, {"_id": {"$in": chunk}})]
    return [(verdicts[row["sha256"]], row["verdict"]) for row in others]


def delete_predictions(store: Store, sha256: str) -> None:
    """Delete the predictions of all versions for a file."""
    store.delete(Prediction, store.find_keys(Prediction, {"sha256": sha256}))


def _build_prediction(result: ScoredFile) -> Prediction | None:
    detection = result.detection
    if result.features is None or detection.facts is None or not detection.model.isdecimal():
        return None
    return Prediction(
        prediction_id=f"{detection.model}-{detection.sha256}",
        sha256=detection.sha256,
        file=PurePath(detection.file).name,
        kind=detection.facts.kind,
        model=int(detection.model),
        verdict=detection.verdict,  # type: ignore[arg-type]
        probability=detection.probability,  # type: ignore[arg-type]
        score=detection.score,  # type: ignore[arg-type]
        features=frame_features.encode_vector(result.features),
        created=format_current_time(),
    )
