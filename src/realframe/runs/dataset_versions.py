"""How many media items of each class, split, generator and source a dataset version holds.

The dataset versions of a checkout, and what each of them holds. What a version holds never changes, so it is read once.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from realframe import artifacts
from realframe.data.split import SPLITS
from realframe.errors import DatasetError
from realframe.runs.git_dvc import git
from realframe.store.run_artifacts import RevisionSource


@dataclass(frozen=True)
class ItemCounts:
    """The items of one class, generator or source.

    Attributes:
        name: in words; empty where nothing is known.
        label: ``real`` or ``fake``.
        by_split: how many in each of ``SPLITS``.
        scale: the most items that a row of the same table holds.
    """

    name: str
    label: str
    by_split: tuple[int, ...]
    scale: int

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.by_split)

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """Of a bar that is 100 long for the longest row: each split, where its part begins and how long it is."""
        lengths = [100 * count / self.scale for count in self.by_split]
        return [(split, round(sum(lengths[:place]), 2), round(lengths[place], 2)) for place, split in enumerate(SPLITS)]


def item_counts(items: pd.DataFrame, by: str) -> list[ItemCounts]:
    """Count items by a column and by class; the most frequent first.

    Args:
        items: rows with ``label``, ``split`` and the column.
        by: ``kind``, ``generator`` or ``source``.
    """
    table = items.groupby([by, "label", "split"], observed=True).size().unstack("split", fill_value=0).reindex(columns=SPLITS, fill_value=0)
    scale = int(table.sum(axis=1).max()) if len(table) else 1
    rows = [
        ItemCounts(str(name), str(label), tuple(int(count) for count in counts), scale)
        for (name, label), counts in zip(table.index, table.to_numpy(), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.total, row.name, row.label))


_FORMAT = "%(refname:strip=2)%09%(contents:subject)%09%(*objectname)%09%(taggerdate:iso-strict)"
_OF_ITEM = ["media_id", "path", "kind", "label", "generator", "source", "split"]
_REPEATED = ["kind", "label", "generator", "source", "split"]
_OF_REJECTED = ["path", "sha256", "code", "message"]
_OF_AUDIT = {"kinds", "limit", "passed", "allowed"}
_READ_AT_ONCE = 4  # versions that are kept in memory
_reading = threading.Lock()  # DVC's index is not made for several threads


@dataclass(frozen=True)
class DatasetVersion:
    """A dataset version.

    Attributes:
        tag: ``dataset/vN``.
        digest: which items it holds, with label, split and repeat: 12 hex digits.
        commit: of the run that made it.
        at: when, ISO 8601.
    """

    tag: str
    digest: str
    commit: str
    at: str


@dataclass(frozen=True)
class DatasetContents:
    """What a dataset version holds.

    Attributes:
        items: its media items, by ``media_id``: ``path``, ``kind``, ``label``, ``generator``, ``source``, ``split``, ordered by id.
        rejected: the files in quarantine: ``stage``, ``path``, ``sha256``, ``code``, ``message``.
        left_out: how many items balancing left out, by reason.
        audit: ``data/shortcuts.json``; empty where the version's run made none, or one of another shape.
    """

    items: pd.DataFrame
    rejected: pd.DataFrame
    left_out: Mapping[str, int]
    audit: Mapping[str, Any]


def dataset_versions(root: Path) -> list[DatasetVersion]:
    """Return the dataset versions of a repository, the newest first."""
    listed = git(root, "for-each-ref", "--sort=-version:refname", f"--format={_FORMAT}", "refs/tags/dataset/")
    return [DatasetVersion(*line.split("\t")) for line in listed.splitlines()]


def contents_of(root: Path, version: DatasetVersion) -> DatasetContents:
    """Return what a version holds. Raises DatasetError where its run left no dataset, MetadataError where its tables are lost."""
    with _reading:
        return _contents(root, version)


def shard_of(root: Path, version: DatasetVersion, media_id: str) -> Path | None:
    """Return the shard with the clean frames of an item; None where this machine's DVC cache has none."""
    with _reading:
        return _revision(root, version.commit).cached(artifacts.CLEAN / f"{media_id}.tar")


@lru_cache(maxsize=_READ_AT_ONCE)
def _revision(root: Path, commit: str) -> RevisionSource:
    return RevisionSource(root, commit)


@lru_cache(maxsize=_READ_AT_ONCE)
def _contents(root: Path, version: DatasetVersion) -> DatasetContents:
    revision = _revision(root, version.commit)
    items = revision.table(artifacts.SPLITS, _OF_ITEM)
    if items is None:
        raise DatasetError(version.tag, "its run left no table of items", "Choose another version.")
    balanced = revision.table(artifacts.BALANCED, ["included", "why"])
    left_out: Iterable[object] = () if balanced is None else balanced.loc[~balanced["included"], "why"]
    return DatasetContents(
        items=items.astype(dict.fromkeys(_REPEATED, "category")).set_index("media_id").sort_index(),
        rejected=_rejected(revision),
        left_out=dict(Counter(map(str, left_out))),
        audit=_audit(revision),
    )


def _audit(revision: RevisionSource) -> dict[str, Any]:
    said = json.loads(revision.read(artifacts.SHORTCUTS) or b"{}")
    return said if said.keys() >= _OF_AUDIT else {}


def _rejected(revision: RevisionSource) -> pd.DataFrame:
    tables = [(path.stem, revision.table(path)) for path in revision.inside(artifacts.QUARANTINE) if path.suffix == ".parquet"]
    filled = [table[_OF_REJECTED].assign(stage=stage) for stage, table in tables if table is not None and len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*_OF_REJECTED, "stage"])
