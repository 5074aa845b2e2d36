"""Store the predictions of registered versions, so that `realframe drift` can compare the files of today with those of the training."""

from collections.abc import Iterable
from pathlib import PurePath

from realframe.detection.result import DetectionResult
from realframe.models import frame_features
from realframe.store.document_base import now
from realframe.store.repository import Store
from realframe.store.takedown import taken_down_ids
from realframe.store.user_documents import Prediction


def store_predictions(store: Store, results: Iterable[DetectionResult]) -> int:
    """Store the predictions of a registered version; return how many are new.

    Left out are files without a score, files that this version has scored before, files that were taken down, and results of a model
    that is not registered. Of the file itself only the name and the digest are stored.
    """
    taken_down = taken_down_ids(store)
    predictions = [prediction for result in results if (prediction := _build_prediction(result))]
    new = [prediction for prediction in predictions if prediction.sha256 not in taken_down and not store.get(Prediction, prediction.key)]
    store.upsert(new)
    return len(new)


def _build_prediction(result: DetectionResult) -> Prediction | None:
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
        created=now(),
    )
