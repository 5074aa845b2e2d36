"""Query the stored predictions of registered model versions."""

from typing import get_args

from realframe.statistics.conformal import Verdict
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction


def list_predictions(store: Store, model: int) -> list[Prediction]:
    """Return the predictions of a model version, ordered by key."""
    return store.find(Prediction, {"model": model})


def verdicts_by_file(store: Store, model: int) -> dict[str, Verdict]:
    """Return the verdicts of a model version by the SHA-256 of the file; it reads only the keys, since the documents are large."""
    keys = {verdict: store.find_keys(Prediction, {"model": model, "verdict": verdict}) for verdict in get_args(Verdict)}
    return {key.partition("-")[2]: verdict for verdict, found in keys.items() for key in found}


def delete_predictions(store: Store, sha256: str) -> None:
    """Delete the predictions of all versions for a file."""
    store.delete(Prediction, [prediction.key for prediction in store.find(Prediction, {"sha256": sha256})])
