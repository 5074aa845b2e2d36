"""Keeps what the detector said, so that it can be seen later whether what people show it has drifted."""

from collections.abc import Iterable
from pathlib import Path

from bonafide.detection.detector import Detection
from bonafide.files import sha256_of
from bonafide.metadata.added import Prediction
from bonafide.metadata.clock import now
from bonafide.metadata.store import Store
from bonafide.metadata.takedown import barred
from bonafide.models import records


def keep(store: Store, detections: Iterable[Detection]) -> int:
    """Store what a registered version said of files that are still there; return how many are new.

    A file that this version has scored before is not stored again: it is no news. Nor is one that was taken down, nor one that a
    model which is not registered has scored. Of the file itself, only its name and its digest are kept.
    """
    banned = barred(store)
    found = [_prediction(detection) for detection in detections if detection.model.isdecimal() and Path(detection.path).is_file()]
    new = [
        prediction for prediction in found if prediction and prediction.sha256 not in banned and not store.get(Prediction, prediction.key)
    ]
    store.upsert(new)
    return len(new)


def _prediction(detection: Detection) -> Prediction | None:
    if detection.features is None or detection.score is None:
        return None
    path = Path(detection.path)
    sha256 = sha256_of(path)
    return Prediction(
        prediction_id=f"{detection.model}-{sha256}",
        sha256=sha256,
        file=path.name,
        kind=detection.kind,  # type: ignore[arg-type]
        model=int(detection.model),
        verdict=detection.verdict,  # type: ignore[arg-type]
        probability=detection.probability,  # type: ignore[arg-type]
        score=detection.score,
        features=records.as_text(detection.features),
        at=now(),
    )
