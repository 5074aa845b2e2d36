"""Index the artifacts of runs in the store, and rebuild the whole index from the artifacts of all runs.

The artifacts are the source of truth. Each run writes its part of the index when it ends; ``sync_all`` rebuilds all of it at any time.
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
from tqdm import tqdm

from realframe import artifacts
from realframe.config import parse_yaml_mapping
from realframe.data.manifest import compute_dataset_digest
from realframe.errors import MetadataError
from realframe.store.document_base import Document, Membership
from realframe.store.index_documents import DERIVED, Dataset, Evaluation, Media, MetricValue, Model, SplitCount, TrainingRun
from realframe.store.repository import Store
from realframe.store.run_artifacts import ArtifactSource, FolderSource, RevisionSource, RunCommit, list_run_commits
from realframe.store.user_documents import GateRecord

_MEDIA_FIELDS = tuple(name for name in Media.model_fields if name not in Media.SET_FIELDS)
KeysByClass = dict[type[Document], set[str]]
"""Keys of documents, by collection."""


class SyncSummary(BaseModel):
    """The outcome of a rebuild.

    Attributes:
        documents: number of documents, by collection.
        removed: number of documents that were removed because no run accounts for them any more.
        unreadable: artifacts that could not be read; if there are any, nothing is removed.
    """

    documents: dict[str, int]
    removed: int
    unreadable: list[str]


@dataclass(frozen=True)
class RunDocuments:
    """The documents of one run; a part that the run did not make is empty.

    Attributes:
        media: the facts of each media item.
        dataset: its dataset version.
        splits: the ids of the dataset's items, by split.
        training: its training run.
        evaluation: the figures of its model.
    """

    media: list[Media]
    dataset: Dataset | None
    splits: dict[str, list[str]]
    training: TrainingRun | None
    evaluation: Evaluation | None


def sync_run(folder: Path, store: Store, *, commit: str, branch: str, tag: str | None) -> None:
    """Index the artifacts in a run's folder. Raises MetadataError.

    Args:
        folder: where the stages ran.
        store: the index.
        commit: commit of the run.
        branch: branch of the run.
        tag: tag of the dataset version, if the run made a new one.
    """
    _index_run(FolderSource(folder), store, RunCommit(commit, (branch,), (tag,) if tag else ()))


def sync_models(store: Store, versions: Iterable[Any]) -> set[str]:
    """Index registered model versions and return their keys; a version has the attributes of ``index_documents.Model``."""
    models = [Model.model_validate(version, from_attributes=True) for version in versions]
    store.upsert(models)
    return {model.key for model in models}


def sync_all(root: Path, store: Store, list_versions: Callable[[], Iterable[Any]]) -> SyncSummary:
    """Rebuild the index from the artifacts of all runs and from the model registry; what people added is left alone.

    Stored gate results stay if their version is registered.

    Runs may end meanwhile: only documents that existed at the start, and that nothing accounts for, are removed.

    Args:
        root: the repository.
        store: the index.
        list_versions: returns the registered model versions.
    """
    existing_keys = {cls: store.find_keys(cls) for cls in DERIVED}
    old_documents: list[Dataset | TrainingRun] = [*store.find(Dataset), *store.find(TrainingRun)]
    indexed_keys: KeysByClass = {cls: set() for cls in DERIVED}
    unreadable = []
    run_commits = list_run_commits(root)
    for run_commit in tqdm(run_commits, "sync", unit="run", disable=None):
        try:
            for cls, keys in _index_run(RevisionSource(root, run_commit.commit), store, run_commit).items():
                indexed_keys[cls] |= keys
        except MetadataError as error:
            unreadable.append(str(error))
    versions = list(list_versions())
    indexed_keys[Model] = sync_models(store, versions)
    _remove_gate_results(store, {version.version for version in versions})
    stale = {cls: set() if unreadable else existing_keys[cls] - indexed_keys[cls] for cls in DERIVED}
    if not unreadable:
        _remove_stale(store, stale, old_documents, run_commits)
    counts = {cls.COLLECTION: len(store.find_keys(cls)) for cls in DERIVED}
    return SyncSummary(documents=counts, removed=sum(map(len, stale.values())), unreadable=unreadable)


def read_run_documents(source: ArtifactSource) -> RunDocuments:
    """Read a run's artifacts. Raises MetadataError."""
    media, splits = _read_rows(source, artifacts.MEDIA), _read_rows(source, artifacts.SPLITS)
    items = {row["media_id"]: row for row in (*splits, *media)}  # a folder in which DVC skipped the catalog has only the splits
    training = _read_training(source)
    return RunDocuments(
        media=[Media.model_validate({name: row[name] for name in _MEDIA_FIELDS if name in row}) for row in items.values()],
        dataset=_build_dataset(splits) if splits else None,
        splits={split: [row["media_id"] for row in splits if row["split"] == split] for split in sorted({row["split"] for row in splits})},
        training=training,
        evaluation=_read_evaluation(source, training) if training else None,
    )


def build_metric_values(split: dict[str, Any]) -> tuple[MetricValue, ...]:
    """Return the metrics of one split of ``reports/metrics.json`` that have a value and an interval."""
    return tuple(
        MetricValue(unit=unit, name=name, value=entry["value"], low=entry.get("low"), high=entry.get("high"))  # type: ignore[arg-type]
        for unit in ("item", "frame")
        for name, entry in split.get(unit, {}).items()
        if isinstance(entry, dict) and "value" in entry
    )


def _index_run(source: ArtifactSource, store: Store, run_commit: RunCommit) -> KeysByClass:
    """Index one run; return the keys of its documents."""
    documents = read_run_documents(source)
    singles = [single for single in (documents.dataset, documents.training, documents.evaluation) if single]
    store.upsert([*documents.media, *singles])
    if documents.dataset:
        for split, media_ids in documents.splits.items():
            membership = Membership(version=documents.dataset.version, split=split)  # type: ignore[arg-type]
            store.add_to_set(Media, media_ids, "datasets", membership)
        _add_refs(store, documents.dataset, run_commit, {"tags": run_commit.tags})
    if documents.training:
        _add_refs(store, documents.training, run_commit, {"branches": run_commit.branches})
    return {Media: {item.key for item in documents.media}, **{type(single): {single.key} for single in singles}}


def _add_refs(store: Store, document: Document, run_commit: RunCommit, refs: dict[str, tuple[str, ...]]) -> None:
    """Add the commit, and its tags or branches, to a document."""
    store.add_to_set(type(document), [document.key], "commits", run_commit.commit)
    for field, values in refs.items():
        for value in values:
            store.add_to_set(type(document), [document.key], field, value)


def _remove_stale(store: Store, stale: KeysByClass, old_documents: list[Dataset | TrainingRun], run_commits: list[RunCommit]) -> None:
    """Remove what no run accounts for any more: documents, memberships, and the names of commits, branches and tags."""
    for cls, keys in stale.items():
        store.delete(cls, keys)
    if stale[Dataset]:
        store.remove_from_set(Media, {}, "datasets", {"version": {"$in": sorted(stale[Dataset])}})
    existing = {
        "commits": {run_commit.commit for run_commit in run_commits},
        "tags": {tag for run_commit in run_commits for tag in run_commit.tags},
        "branches": {branch for run_commit in run_commits for branch in run_commit.branches},
    }
    for document in old_documents:
        for field in document.SET_FIELDS:
            if stale_values := sorted(set(getattr(document, field)) - existing[field]):
                store.remove_from_set(type(document), {"_id": document.key}, field, {"$in": stale_values})


def _remove_gate_results(store: Store, registered: set[int]) -> None:
    """Remove the gate results of versions that are not registered any more."""
    valid_keys = {key for version in registered for key in store.find_keys(GateRecord, {"version": version})}
    store.delete(GateRecord, store.find_keys(GateRecord) - valid_keys)


def _read_rows(source: ArtifactSource, path: Path) -> list[dict[str, Any]]:
    data = source.read(path)
    return pq.read_table(io.BytesIO(data)).to_pylist() if data else []


def _read_json(source: ArtifactSource, path: Path) -> dict[str, Any] | None:
    data = source.read(path)
    return json.loads(data) if data else None


def _build_dataset(splits: list[dict[str, Any]]) -> Dataset:
    import pandas as pd

    counts = Counter((row["split"], row["label"], row["kind"]) for row in splits)
    return Dataset(
        version=compute_dataset_digest(pd.DataFrame(splits)),
        items=len(splits),
        counts=tuple(
            SplitCount(split=split, label=label, kind=kind, items=counts[split, label, kind]) for split, label, kind in sorted(counts)
        ),
    )


def _read_training(source: ArtifactSource) -> TrainingRun | None:
    training = _read_json(source, artifacts.TRAINING)
    if training is None:
        return None
    params = source.read(artifacts.RESOLVED_PARAMS)
    return TrainingRun(
        run_id=training["run_id"],
        recipe=training["recipe"],
        backbone=training["backbone"],
        weights=training["weights"]["name"],
        dataset=training["dataset"],
        params=parse_yaml_mapping(params, artifacts.RESOLVED_PARAMS, "Run the stage `resolve_params` again.") if params else {},
        best=training["best"],
        seconds=training["seconds"],
    )


def _read_evaluation(source: ArtifactSource, training: TrainingRun) -> Evaluation | None:
    metrics = _read_json(source, artifacts.METRICS)
    if metrics is None:
        return None
    facts: dict[str, Any] = {
        "run_id": training.run_id,
        "dataset": training.dataset,
        "threshold": metrics["threshold"],
        "figures": build_metric_values(metrics["test"]),
        "baseline": build_metric_values(metrics["baseline"]["test"]),
    }
    text = json.dumps(facts, sort_keys=True, default=lambda figure: figure.model_dump())
    return Evaluation(evaluation_id=hashlib.sha256(text.encode()).hexdigest(), **facts)
