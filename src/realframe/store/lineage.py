"""Model version, run, commit, dataset version, media, and back: where each comes from and what came of it.

What somebody means who asks for a lineage by one word.
"""

import re
from pathlib import Path

from pydantic import BaseModel

from realframe.errors import UnknownError
from realframe.files import sha256_of
from realframe.store.documents import Count, Dataset, Evaluation, Media, Model, TrainingRun
from realframe.store.repository import Store
from realframe.store.user_documents import Takedown

SHORTEST = 6
SYNC = "`realframe metadata sync`"


class ModelLineage(BaseModel):
    """Where a model version comes from.

    Attributes:
        model: the registered version.
        run: its training.
        evaluations: the figures of that training.
        counts: items of its dataset version by split, label and kind.
        tags: names of the dataset version, such as ``dataset/v3``.
        trained_on: the items of the train split, ordered by id.
        taken_down: the ids of those items of its dataset version that were taken down since.
    """

    model: Model
    run: TrainingRun | None
    evaluations: list[Evaluation]
    counts: tuple[Count, ...]
    tags: tuple[str, ...]
    trained_on: list[Media]
    taken_down: list[str]


class DatasetLineage(BaseModel):
    """What a dataset version holds and what came of it.

    Attributes:
        dataset: the version.
        items: its media items, ordered by id.
        runs: the trainings on it.
        models: the model versions that came from them.
        taken_down: the ids of those items that were taken down since.
    """

    dataset: Dataset
    items: list[Media]
    runs: list[TrainingRun]
    models: list[Model]
    taken_down: list[str]


class Sighting(BaseModel):
    """A dataset version that holds a media item, and the model versions that came from it."""

    dataset: str
    tags: tuple[str, ...]
    split: str
    models: list[Model]


class MediaLineage(BaseModel):
    """What became of a media item; it was trained on where the split is ``train``."""

    media: Media
    seen: list[Sighting]
    taken_down: Takedown | None


def of_model(store: Store, version: int) -> ModelLineage:
    """Return where a registered version comes from. Raises UnknownError."""
    model = store.get(Model, str(version))
    if model is None:
        known = ", ".join(str(number) for number in sorted(other.version for other in store.find(Model))) or "none"
        raise UnknownError(f"model version {version}", f"is not in the index (known: {known})", SYNC)
    dataset = store.get(Dataset, model.dataset)
    return ModelLineage(
        model=model,
        run=store.get(TrainingRun, model.run_id),
        evaluations=store.find(Evaluation, {"run_id": model.run_id}),
        counts=dataset.counts if dataset else (),
        tags=dataset.tags if dataset else (),
        trained_on=store.find(Media, {"datasets": {"$elemMatch": {"version": model.dataset, "split": "train"}}}),
        taken_down=taken_down_of(store, model.dataset),
    )


def of_dataset(store: Store, dataset: Dataset) -> DatasetLineage:
    """Return what a dataset version holds and what came of it."""
    return DatasetLineage(
        dataset=dataset,
        items=store.find(Media, {"datasets": {"$elemMatch": {"version": dataset.version}}}),
        runs=store.find(TrainingRun, {"dataset": dataset.version}),
        models=_in_order(store.find(Model, {"dataset": dataset.version})),
        taken_down=taken_down_of(store, dataset.version),
    )


def of_media(store: Store, asked: str) -> MediaLineage:
    """Return what became of a media item. Raises UnknownError.

    Args:
        store: the index.
        asked: the path of a file, which is hashed, or the first hex digits of the id, at least 6.
    """
    media = _the_one(store, asked)
    versions = [membership.version for membership in media.datasets]
    models = store.find(Model, {"dataset": {"$in": versions}})
    datasets = {dataset.version: dataset for dataset in store.find(Dataset, {"version": {"$in": versions}})}
    seen = [
        Sighting(
            dataset=membership.version,
            tags=datasets[membership.version].tags if membership.version in datasets else (),
            split=membership.split,
            models=_in_order([model for model in models if model.dataset == membership.version]),
        )
        for membership in media.datasets
    ]
    return MediaLineage(media=media, seen=seen, taken_down=store.get(Takedown, media.media_id))


def taken_down_of(store: Store, version: str) -> list[str]:
    """Return the ids of the items of a dataset version that were taken down, also since it was made."""
    barred = sorted(store.keys(Takedown))
    held = store.find(Media, {"_id": {"$in": barred}})
    return [media.media_id for media in held if version in {membership.version for membership in media.datasets}]


def _the_one(store: Store, asked: str) -> Media:
    file = Path(asked).expanduser()
    prefix = sha256_of(file) if file.is_file() else asked.lower()
    if not is_prefix(prefix):
        raise UnknownError(asked, f"is neither a file nor the first {SHORTEST} or more hex digits of a media id")
    found = beginning(store, prefix)
    if not found:
        raise UnknownError(asked, f"no run of this checkout has seen it (looked for {prefix[:12]})", f"If one has: {SYNC}.")
    if len(found) > 1:
        raise UnknownError(
            asked, f"{len(found)} media items begin so", f"Give more digits: {', '.join(m.media_id[:16] for m in found[:4])}."
        )
    return found[0]


def beginning(store: Store, prefix: str) -> list[Media]:
    """Return the media items whose ids begin so."""
    return store.find(Media, {"_id": {"$gte": prefix, "$lt": prefix + "g"}})  # g comes after the last hex digit


def is_prefix(text: str) -> bool:
    """Say whether a text may be the beginning of an id."""
    return bool(re.fullmatch(f"[0-9a-fA-F]{{{SHORTEST},64}}", text))


def _in_order(models: list[Model]) -> list[Model]:
    return sorted(models, key=lambda model: model.version)


Lineage = ModelLineage | DatasetLineage | MediaLineage


def find_lineage(store: Store, asked: str) -> Lineage:
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
