"""From a run's artifacts to the documents that index it.

The index follows the manifests: written by each run as it ends, and rebuilt from all of them at any time.
"""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pydantic import BaseModel
from ruamel.yaml import YAML
from tqdm import tqdm

from realframe import artifacts
from realframe.data.manifest import dataset_version
from realframe.errors import MetadataError
from realframe.store.document_base import Document, Membership
from realframe.store.documents import DERIVED, Count, Dataset, Evaluation, Figure, Media, Model, TrainingRun
from realframe.store.repository import Store
from realframe.store.run_artifacts import ArtifactSource, Carrier, FolderSource, RevisionSource, carriers

_FACTS = tuple(name for name in Media.model_fields if name not in Media.GROWS)


@dataclass(frozen=True)
class RunDocuments:
    """What one run's artifacts say; a part that the run did not make is empty.

    Attributes:
        media: the facts of each media item.
        dataset: its dataset version.
        splits: the ids of the dataset's items, by split.
        training: how its model was trained.
        evaluation: the model's figures.
    """

    media: list[Media]
    dataset: Dataset | None
    splits: dict[str, list[str]]
    training: TrainingRun | None
    evaluation: Evaluation | None


def read_run_documents(source: ArtifactSource) -> RunDocuments:
    """Read a run's artifacts. Raises MetadataError."""
    media, splits = _rows(source, artifacts.MEDIA), _rows(source, artifacts.SPLITS)
    items = {row["media_id"]: row for row in (*splits, *media)}  # a folder in which DVC skipped the catalog has the splits only
    training = _training(source)
    return RunDocuments(
        media=[Media.model_validate({name: row[name] for name in _FACTS if name in row}) for row in items.values()],
        dataset=_dataset(splits) if splits else None,
        splits={split: [row["media_id"] for row in splits if row["split"] == split] for split in sorted({row["split"] for row in splits})},
        training=training,
        evaluation=_evaluation(source, training) if training else None,
    )


def figures_of(levels: dict[str, Any]) -> tuple[Figure, ...]:
    """Return the figures of one split of ``reports/metrics.json``: those entries that have a value and an interval."""
    return tuple(
        Figure(level=level, name=name, value=entry["value"], low=entry.get("low"), high=entry.get("high"))  # type: ignore[arg-type]
        for level in ("item", "frame")
        for name, entry in levels.get(level, {}).items()
        if isinstance(entry, dict) and "value" in entry
    )


def _rows(source: ArtifactSource, path: Path) -> list[dict[str, Any]]:
    data = source.read(path)
    return pq.read_table(io.BytesIO(data)).to_pylist() if data else []


def _json(source: ArtifactSource, path: Path) -> dict[str, Any] | None:
    data = source.read(path)
    return json.loads(data) if data else None


def _dataset(splits: list[dict[str, Any]]) -> Dataset:
    import pandas as pd

    counts = Counter((row["split"], row["label"], row["kind"]) for row in splits)
    return Dataset(
        version=dataset_version(pd.DataFrame(splits)),
        items=len(splits),
        counts=tuple(Count(split=split, label=label, kind=kind, items=counts[split, label, kind]) for split, label, kind in sorted(counts)),
    )


def _training(source: ArtifactSource) -> TrainingRun | None:
    training = _json(source, artifacts.TRAINING)
    if training is None:
        return None
    params = source.read(artifacts.RESOLVED)
    return TrainingRun(
        run_id=training["run_id"],
        recipe=training["recipe"],
        backbone=training["backbone"],
        weights=training["weights"]["name"],
        dataset=training["dataset"],
        params=YAML(typ="safe").load(params) if params else {},
        best=training["best"],
        seconds=training["seconds"],
    )


def _evaluation(source: ArtifactSource, training: TrainingRun) -> Evaluation | None:
    metrics = _json(source, artifacts.METRICS)
    if metrics is None:
        return None
    facts: dict[str, Any] = {
        "run_id": training.run_id,
        "dataset": training.dataset,
        "threshold": metrics["threshold"],
        "figures": figures_of(metrics["test"]),
        "baseline": figures_of(metrics["baseline"]["test"]),
    }
    text = json.dumps(facts, sort_keys=True, default=lambda figure: figure.model_dump())
    return Evaluation(evaluation_id=hashlib.sha256(text.encode()).hexdigest(), **facts)


Seen = dict[type[Document], set[str]]


class SyncSummary(BaseModel):
    """What a rebuild found.

    Attributes:
        documents: how many, by collection.
        removed: how many that no run accounts for any more.
        lost: artifacts that can't be read; then nothing is removed.
    """

    documents: dict[str, int]
    removed: int
    lost: list[str]


def sync_run(folder: Path, store: Store, *, commit: str, branch: str, tag: str | None) -> None:
    """Index the artifacts that lie in a run's folder. Raises MetadataError.

    Args:
        folder: where the stages ran.
        store: the index.
        commit: of the run.
        branch: of the run.
        tag: the dataset version's, where the run made a new one.
    """
    _write(FolderSource(folder), store, Carrier(commit, (branch,), (tag,) if tag else ()))


def sync_models(store: Store, versions: Iterable[Any]) -> set[str]:
    """Index registered model versions, objects with the attributes of ``schema.Model``; return their keys."""
    models = [Model.model_validate(version, from_attributes=True) for version in versions]
    store.upsert(models)
    return {model.key for model in models}


def sync_all(root: Path, store: Store, versions: Callable[[], Iterable[Any]]) -> SyncSummary:
    """Rebuild the index from the manifests of all runs and from the model registry. What people added is left alone.

    Runs may end meanwhile: only what was there at the start and is accounted for by nothing is removed.

    Args:
        root: the repository.
        store: the index.
        versions: gives the registered model versions.
    """
    before = {cls: store.keys(cls) for cls in DERIVED}
    carried: list[Dataset | TrainingRun] = [*store.find(Dataset), *store.find(TrainingRun)]
    found: Seen = {cls: set() for cls in DERIVED}
    lost = []
    carrying = carriers(root)
    for carrier in tqdm(carrying, "sync", unit="run", disable=None):
        try:
            for cls, keys in _write(RevisionSource(root, carrier.commit), store, carrier).items():
                found[cls] |= keys
        except MetadataError as error:
            lost.append(str(error))
    found[Model] = sync_models(store, versions())
    gone = {cls: set() if lost else before[cls] - found[cls] for cls in DERIVED}
    if not lost:
        _forget(store, gone, carried, carrying)
    counts = {cls.COLLECTION: len(store.keys(cls)) for cls in DERIVED}
    return SyncSummary(documents=counts, removed=sum(map(len, gone.values())), lost=lost)


def _write(source: ArtifactSource, store: Store, carrier: Carrier) -> Seen:
    """Index one run; return the keys of what it accounts for."""
    said = read_run_documents(source)
    singles = [single for single in (said.dataset, said.training, said.evaluation) if single]
    store.upsert([*said.media, *singles])
    if said.dataset:
        for split, media_ids in said.splits.items():
            store.add(Media, media_ids, "datasets", Membership(version=said.dataset.version, split=split))  # type: ignore[arg-type]
        _carried(store, said.dataset, carrier, {"tags": carrier.tags})
    if said.training:
        _carried(store, said.training, carrier, {"branches": carrier.branches})
    return {Media: {item.key for item in said.media}, **{type(single): {single.key} for single in singles}}


def _carried(store: Store, document: Document, carrier: Carrier, names: dict[str, tuple[str, ...]]) -> None:
    store.add(type(document), [document.key], "commits", carrier.commit)
    for field, values in names.items():
        for value in values:
            store.add(type(document), [document.key], field, value)


def _forget(store: Store, gone: Seen, carried: list[Dataset | TrainingRun], carrying: list[Carrier]) -> None:
    """Take out what no run accounts for any more: documents, memberships, and names of commits, branches and tags."""
    for cls, keys in gone.items():
        store.delete(cls, keys)
    if gone[Dataset]:
        store.remove(Media, {}, "datasets", {"version": {"$in": sorted(gone[Dataset])}})
    known = {
        "commits": {carrier.commit for carrier in carrying},
        "tags": {tag for carrier in carrying for tag in carrier.tags},
        "branches": {branch for carrier in carrying for branch in carrier.branches},
    }
    for document in carried:
        for field in document.GROWS:
            if stale := sorted(set(getattr(document, field)) - known[field]):
                store.remove(type(document), {"_id": document.key}, field, {"$in": stale})
