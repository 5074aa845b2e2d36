"""Keeps what the detector said, so that it can be seen later whether what people show it has drifted."""

from collections.abc import Iterable
from pathlib import PurePath

from realframe.detection.result import DetectionResult
from realframe.models import frame_features
from realframe.store.document_base import now
from realframe.store.repository import Store
from realframe.store.takedown import taken_down_ids
from realframe.store.user_documents import Prediction


def keep(store: Store, answers: Iterable[DetectionResult]) -> int:
    """Store what a registered version said; return how many are new.

    A file that this version has scored before is not stored again: it is no news. Nor is one that was taken down, nor one that a
    model which is not registered has scored. Of the file itself, only its name and its digest are kept.
    """
    banned = taken_down_ids(store)
    found = [prediction for answer in answers if (prediction := _prediction(answer))]
    new = [prediction for prediction in found if prediction.sha256 not in banned and not store.get(Prediction, prediction.key)]
    store.upsert(new)
    return len(new)


def _prediction(answer: DetectionResult) -> Prediction | None:
    said = answer.detection
    if answer.features is None or said.facts is None or not said.model.isdecimal():
        return None
    return Prediction(
        prediction_id=f"{said.model}-{said.sha256}",
        sha256=said.sha256,
        file=PurePath(said.file).name,
        kind=said.facts.kind,
        model=int(said.model),
        verdict=said.verdict,  # type: ignore[arg-type]
        probability=said.probability,  # type: ignore[arg-type]
        score=said.score,  # type: ignore[arg-type]
        features=frame_features.as_text(answer.features),
        at=now(),
    )
