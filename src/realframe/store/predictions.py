"""Store and query the predictions of registered versions.

`realframe drift` compares the files of today with those of the training through them.
"""

from collections.abc import Iterable
from pathlib import PurePath
from typing import Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from realframe.models import frame_features
from realframe.statistics.conformal import Verdict
from realframe.store.detection_documents import Detection
from realframe.store.document_base import format_current_time
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction, Takedown


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
    taken_down = frozenset(store.find_keys(Takedown))
    predictions = [prediction for result in results if (prediction := _build_prediction(result))]
    new = [prediction for prediction in predictions if prediction.sha256 not in taken_down and not store.get(Prediction, prediction.key)]
    store.upsert(new)
    return len(new)


def list_predictions(store: Store, model: int) -> list[Prediction]:
    """Return the predictions of a model version, ordered by key."""
    return store.find(Prediction, {"model": model})


def verdicts_by_file(store: Store, model: int) -> dict[str, Verdict]:
    """Return the verdicts of a model version by the SHA-256 of the file; it reads only the keys, since the documents are large."""
    keys = {verdict: store.find_keys(Prediction, {"model": model, "verdict": verdict}) for verdict in get_args(Verdict)}
    return {key.partition("-")[2]: verdict for verdict, matches in keys.items() for key in matches}


def delete_predictions(store: Store, sha256: str) -> None:
    """Delete the predictions of all versions for a file."""
    store.delete(Prediction, [prediction.key for prediction in store.find(Prediction, {"sha256": sha256})])


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
