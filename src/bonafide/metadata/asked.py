"""What somebody means who asks for a lineage by one word."""

from pathlib import Path

from bonafide.errors import UnknownError
from bonafide.metadata.lineage import (
    SHORTEST,
    SYNC,
    DatasetLineage,
    MediaLineage,
    ModelLineage,
    beginning,
    is_prefix,
    of_dataset,
    of_media,
    of_model,
)
from bonafide.metadata.schema import Dataset, Model
from bonafide.metadata.store import Store

Lineage = ModelLineage | DatasetLineage | MediaLineage


def find(store: Store, asked: str) -> Lineage:
    """Return the lineage of what is asked for, by what it is. Raises UnknownError where it is nothing, or several things.

    Args:
        store: the index.
        asked: the number of a model version; a name (``dataset/v2``) or digest of a dataset version; a file; or the first hex digits,
            at least 6, of a media id, a dataset's digest, a commit or an MLflow run.
    """
    if Path(asked).expanduser().is_file():
        return of_media(store, asked)
    if asked.isdecimal() and len(asked) < SHORTEST:
        return of_model(store, int(asked))
    if named := [dataset for dataset in store.find(Dataset) if asked in (*dataset.tags, dataset.version)]:
        return of_dataset(store, named[0])
    if not is_prefix(asked):
        reason = "is no model version, no name of a dataset version, no file, and not the first 6 or more hex digits of anything"
        raise UnknownError(asked, reason, f"If a run made it: {SYNC}.")
    return _by_prefix(store, asked.lower())


def _by_prefix(store: Store, prefix: str) -> Lineage:
    """Return the one thing whose id begins so; of a model and the dataset of one and the same commit, the model."""
    models = [model for model in store.find(Model) if model.run_id.startswith(prefix) or model.commit.startswith(prefix)]
    datasets = [dataset for dataset in store.find(Dataset) if any(name.startswith(prefix) for name in (dataset.version, *dataset.commits))]
    media = beginning(store, prefix)
    if len(models) == 1 and not media:
        return of_model(store, models[0].version)
    if len(datasets) == 1 and not models and not media:
        return of_dataset(store, datasets[0])
    if models or (datasets and media) or len(datasets) > 1:
        found = [f"model version {m.version}" for m in models] + [f"dataset {d.version}" for d in datasets] + [m.media_id for m in media]
        raise UnknownError(prefix, f"{len(found)} things begin so: {', '.join(found[:4])}", "Give more digits, or the version's number.")
    return of_media(store, prefix)
