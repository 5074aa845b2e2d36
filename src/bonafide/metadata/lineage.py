"""Which media a model version was trained on, and which dataset and model versions saw a media item."""

import re
from pathlib import Path

from pydantic import BaseModel

from bonafide.errors import MetadataError
from bonafide.files import sha256_of
from bonafide.metadata.schema import Count, Dataset, Evaluation, Media, Model, TrainingRun
from bonafide.metadata.store import Store

_SHORTEST = 6


class ModelLineage(BaseModel):
    """Where a model version comes from.

    Attributes:
        model: the registered version.
        run: its training.
        evaluations: the figures of that training.
        counts: items of its dataset version by split, label and kind.
        tags: names of the dataset version, such as ``dataset/v3``.
        trained_on: the items of the train split, ordered by id.
    """

    model: Model
    run: TrainingRun | None
    evaluations: list[Evaluation]
    counts: tuple[Count, ...]
    tags: tuple[str, ...]
    trained_on: list[Media]


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


def of_model(store: Store, version: int) -> ModelLineage:
    """Return where a registered version comes from. Raises MetadataError."""
    model = store.get(Model, str(version))
    if model is None:
        known = ", ".join(str(number) for number in sorted(other.version for other in store.find(Model))) or "none"
        raise MetadataError(f"model version {version}", f"is not in the index (known: {known})", "`bonafide metadata sync`")
    dataset = store.get(Dataset, model.dataset)
    return ModelLineage(
        model=model,
        run=store.get(TrainingRun, model.run_id),
        evaluations=store.find(Evaluation, {"run_id": model.run_id}),
        counts=dataset.counts if dataset else (),
        tags=dataset.tags if dataset else (),
        trained_on=store.find(Media, {"datasets": {"$elemMatch": {"version": model.dataset, "split": "train"}}}),
    )


def of_media(store: Store, asked: str) -> MediaLineage:
    """Return what became of a media item. Raises MetadataError.

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
            models=sorted((m for m in models if m.dataset == membership.version), key=lambda model: model.version),
        )
        for membership in media.datasets
    ]
    return MediaLineage(media=media, seen=seen)


def _the_one(store: Store, asked: str) -> Media:
    file = Path(asked).expanduser()
    prefix = sha256_of(file) if file.is_file() else asked.lower()
    if not re.fullmatch(f"[0-9a-f]{{{_SHORTEST},64}}", prefix):
        raise MetadataError(asked, f"is neither a file nor the first {_SHORTEST} or more hex digits of a media id")
    found = store.find(Media, {"_id": {"$gte": prefix, "$lt": prefix + "g"}})  # g comes after the last hex digit
    if not found:
        raise MetadataError(
            asked, f"no run of this checkout has seen it (looked for {prefix[:12]})", "If one has: `bonafide metadata sync`."
        )
    if len(found) > 1:
        raise MetadataError(
            asked, f"{len(found)} media items begin so", f"Give more digits: {', '.join(m.media_id[:16] for m in found[:4])}."
        )
    return found[0]
