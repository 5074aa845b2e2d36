"""Find where a model version, dataset version or media item comes from, and what was made from it.

The chain is: model version, training run, commit, dataset version, media item; each end can be looked up from the other.
"""

import re
from pathlib import Path

from pydantic import BaseModel

from realframe.errors import UnknownRecordError
from realframe.files import compute_sha256
from realframe.store.index_documents import Dataset, Evaluation, Media, Model, SplitCount, TrainingRun
from realframe.store.repository import Store
from realframe.store.user_documents import Takedown

MIN_PREFIX_LENGTH = 6
SYNC_COMMAND = "`realframe metadata sync`"
_MAX_NAMED = 4  # records that an error message names


class ModelLineage(BaseModel):
    """The origin of a model version.

    Attributes:
        model: the registered version.
        run: its training run.
        evaluations: the evaluations of that run.
        counts: items of its dataset version by split, label and kind.
        tags: tags of the dataset version, such as ``dataset/v3``.
        trained_on: the items of the train split, ordered by id.
        taken_down: ids of the items of its dataset version that have been taken down since.
    """

    model: Model
    run: TrainingRun | None
    evaluations: list[Evaluation]
    counts: tuple[SplitCount, ...]
    tags: tuple[str, ...]
    trained_on: list[Media]
    taken_down: list[str]


class DatasetLineage(BaseModel):
    """The content of a dataset version, and what was made from it.

    Attributes:
        dataset: the version.
        items: its media items, ordered by id.
        runs: the training runs on it.
        models: the model versions from these runs.
        taken_down: ids of its items that have been taken down since.
    """

    dataset: Dataset
    items: list[Media]
    runs: list[TrainingRun]
    models: list[Model]
    taken_down: list[str]


class MediaUse(BaseModel):
    """A dataset version that holds a media item, its split there, and the model versions trained on that dataset version."""

    dataset: str
    tags: tuple[str, ...]
    split: str
    models: list[Model]


class MediaLineage(BaseModel):
    """The uses of a media item; a model was trained on it if the split is ``train``."""

    media: Media
    uses: list[MediaUse]
    taken_down: Takedown | None


Lineage = ModelLineage | DatasetLineage | MediaLineage


def find_lineage(store: Store, identifier: str) -> Lineage:
    """Return the lineage of the record with an identifier. Raises UnknownRecordError if there is none, or if there are several.

    Args:
        store: the index.
        identifier: the number of a model version; a tag (``dataset/v2``) or digest of a dataset version; a file; or the first hex digits,
            at least 6, of a media id, a dataset's digest, a commit or an MLflow run.
    """
    if Path(identifier).expanduser().is_file():
        return get_media_lineage(store, identifier)
    if identifier.isdecimal() and len(identifier) < MIN_PREFIX_LENGTH:
        return get_model_lineage(store, int(identifier))
    if datasets := [dataset for dataset in store.find(Dataset) if identifier in (*dataset.tags, dataset.version)]:
        return get_dataset_lineage(store, datasets[0])
    if not is_id_prefix(identifier):
        reason = (
            "is not a model version, a tag of a dataset version, a file, or the first "
            f"{MIN_PREFIX_LENGTH} or more hex digits of a media id, dataset, commit or MLflow run"
        )
        raise UnknownRecordError(identifier, reason, f"Rebuild the index: {SYNC_COMMAND}.")
    return _find_by_prefix(store, identifier.lower())


def get_model_lineage(store: Store, version: int) -> ModelLineage:
    """Return the origin of a model version. Raises UnknownRecordError."""
    model = store.get(Model, str(version))
    if model is None:
        known = ", ".join(str(other.version) for other in _by_version(store.find(Model))) or "none"
        raise UnknownRecordError(f"model version {version}", f"is not in the index (known: {known})", SYNC_COMMAND)
    dataset = store.get(Dataset, model.dataset)
    return ModelLineage(
        model=model,
        run=store.get(TrainingRun, model.run_id),
        evaluations=store.find(Evaluation, {"run_id": model.run_id}),
        counts=dataset.counts if dataset else (),
        tags=dataset.tags if dataset else (),
        trained_on=store.find(Media, {"datasets": {"$elemMatch": {"version": model.dataset, "split": "train"}}}),
        taken_down=list_taken_down(store, model.dataset),
    )


def get_dataset_lineage(store: Store, dataset: Dataset) -> DatasetLineage:
    """Return the content of a dataset version, and what was made from it."""
    return DatasetLineage(
        dataset=dataset,
        items=store.find(Media, {"datasets": {"$elemMatch": {"version": dataset.version}}}),
        runs=store.find(TrainingRun, {"dataset": dataset.version}),
        models=_by_version(store.find(Model, {"dataset": dataset.version})),
        taken_down=list_taken_down(store, dataset.version),
    )


def get_media_lineage(store: Store, identifier: str) -> MediaLineage:
    """Return the uses of a media item. Raises UnknownRecordError.

    Args:
        store: the index.
        identifier: the path of a file, which is hashed, or the first hex digits of the id, at least 6.
    """
    media = _find_one_media(store, identifier)
    versions = [membership.version for membership in media.datasets]
    models = store.find(Model, {"dataset": {"$in": versions}})
    datasets = {dataset.version: dataset for dataset in store.find(Dataset, {"version": {"$in": versions}})}
    uses = [
        MediaUse(
            dataset=membership.version,
            tags=datasets[membership.version].tags if membership.version in datasets else (),
            split=membership.split,
            models=_by_version([model for model in models if model.dataset == membership.version]),
        )
        for membership in media.datasets
    ]
    return MediaLineage(media=media, uses=uses, taken_down=store.get(Takedown, media.media_id))


def list_taken_down(store: Store, version: str) -> list[str]:
    """Return the ids of the items of a dataset version that were taken down, also after it was created."""
    taken_down = store.find(Media, {"_id": {"$in": sorted(store.find_keys(Takedown))}})
    return [media.media_id for media in taken_down if version in {membership.version for membership in media.datasets}]


def find_media_by_prefix(store: Store, prefix: str) -> list[Media]:
    """Return the media items whose id begins with a prefix."""
    return store.find(Media, {"_id": {"$gte": prefix, "$lt": prefix + "g"}})  # g comes after the last hex digit


def is_id_prefix(text: str) -> bool:
    """Return whether a text may be the beginning of an id."""
    return bool(re.fullmatch(f"[0-9a-fA-F]{{{MIN_PREFIX_LENGTH},64}}", text))


def _find_one_media(store: Store, identifier: str) -> Media:
    file = Path(identifier).expanduser()
    prefix = compute_sha256(file) if file.is_file() else identifier.lower()
    if not is_id_prefix(prefix):
        reason = f"is neither a file nor the first {MIN_PREFIX_LENGTH} or more hex digits of a media id"
        raise UnknownRecordError(identifier, reason, "List the items: `realframe frames OUT.csv`.")
    matches = find_media_by_prefix(store, prefix)
    if not matches:
        reason = f"no run of this checkout used it (id {prefix[:12]})"
        raise UnknownRecordError(identifier, reason, f"Rebuild the index: {SYNC_COMMAND}.")
    if len(matches) > 1:
        hint = f"Give more digits: {', '.join(media.media_id[:16] for media in matches[:_MAX_NAMED])}."
        raise UnknownRecordError(identifier, f"the ids of {len(matches)} media items begin with it", hint)
    return matches[0]


def _find_by_prefix(store: Store, prefix: str) -> Lineage:
    """Return the one record whose id begins with a prefix; if a model and a dataset have the same commit, the model."""
    models = [model for model in store.find(Model) if model.run_id.startswith(prefix) or model.commit.startswith(prefix)]
    datasets = [dataset for dataset in store.find(Dataset) if any(name.startswith(prefix) for name in (dataset.version, *dataset.commits))]
    media = find_media_by_prefix(store, prefix)
    if len(models) == 1 and not media:
        return get_model_lineage(store, models[0].version)
    if len(datasets) == 1 and not models and not media:
        return get_dataset_lineage(store, datasets[0])
    if models or (datasets and media) or len(datasets) > 1:
        names = [f"model version {model.version}" for model in models]
        names += [f"dataset {dataset.version}" for dataset in datasets] + [item.media_id for item in media]
        reason = f"the ids of {len(names)} records begin with it: {', '.join(names[:_MAX_NAMED])}"
        raise UnknownRecordError(prefix, reason, "Give more digits, or the number of the version.")
    return get_media_lineage(store, prefix)


def _by_version(models: list[Model]) -> list[Model]:
    return sorted(models, key=lambda model: model.version)
