"""The index follows the manifests: written by each run as it ends, and rebuilt from all of them at any time."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from tqdm import tqdm

from bonafide.errors import MetadataError
from bonafide.metadata import documents
from bonafide.metadata.document import Document, Membership
from bonafide.metadata.schema import DERIVED, Dataset, Media, Model, TrainingRun
from bonafide.metadata.sources import Carrier, Folder, Revision, Source, carriers
from bonafide.metadata.store import Store

Seen = dict[type[Document], set[str]]


class Summary(BaseModel):
    """What a rebuild found.

    Attributes:
        documents: how many, by collection.
        removed: how many that no run accounts for any more.
        lost: artefacts that can't be read; then nothing is removed.
    """

    documents: dict[str, int]
    removed: int
    lost: list[str]


def sync_run(folder: Path, store: Store, *, commit: str, branch: str, tag: str | None) -> None:
    """Index the artefacts that lie in a run's folder. Raises MetadataError.

    Args:
        folder: where the stages ran.
        store: the index.
        commit: of the run.
        branch: of the run.
        tag: the dataset version's, where the run made a new one.
    """
    _write(Folder(folder), store, Carrier(commit, (branch,), (tag,) if tag else ()))


def sync_models(store: Store, versions: Iterable[Any]) -> set[str]:
    """Index registered model versions, objects with the attributes of ``schema.Model``; return their keys."""
    models = [Model.model_validate(version, from_attributes=True) for version in versions]
    store.upsert(models)
    return {model.key for model in models}


def sync_all(root: Path, store: Store, versions: Callable[[], Iterable[Any]]) -> Summary:
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
            for cls, keys in _write(Revision(root, carrier.commit), store, carrier).items():
                found[cls] |= keys
        except MetadataError as error:
            lost.append(str(error))
    found[Model] = sync_models(store, versions())
    gone = {cls: set() if lost else before[cls] - found[cls] for cls in DERIVED}
    if not lost:
        _forget(store, gone, carried, carrying)
    counts = {cls.COLLECTION: len(store.keys(cls)) for cls in DERIVED}
    return Summary(documents=counts, removed=sum(map(len, gone.values())), lost=lost)


def _write(source: Source, store: Store, carrier: Carrier) -> Seen:
    """Index one run; return the keys of what it accounts for."""
    said = documents.read(source)
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
