"""Keeps what the detector said, so that it can be seen later whether what people show it has drifted."""

from collections.abc import Iterable
from pathlib import PurePath

from bonafide.detection.detected import Detected
from bonafide.metadata.added import Prediction
from bonafide.metadata.clock import now
from bonafide.metadata.store import Store
from bonafide.metadata.takedown import barred
from bonafide.models import records


def keep(store: Store, answers: Iterable[Detected]) -> int:
    """Store what a registered version said; return how many are new.

    A file that this version has scored before is not stored again: it is no news. Nor is one that was taken down, nor one that a
    model which is not registered has scored. Of the file itself, only its name and its digest are kept.
    """
    banned = barred(store)
    found = [prediction for answer in answers if (prediction := _prediction(answer))]
    new = [prediction for prediction in found if prediction.sha256 not in banned and not store.get(Prediction, prediction.key)]
    store.upsert(new)
    return len(new)


def _prediction(answer: Detected) -> Prediction | None:
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
        features=records.as_text(answer.features),
        at=now(),
    )
