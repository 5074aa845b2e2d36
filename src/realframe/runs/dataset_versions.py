"""List the dataset versions of a checkout and read what each contains: items, quarantined files, item counts, sampled frames.

The content of a version never changes, so the last few versions are cached in memory.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from realframe import artifacts
from realframe.data.split import SPLITS
from realframe.errors import DatasetError, ServiceError
from realframe.runs.git_dvc import git
from realframe.runs.run_versions import find_newest_dataset_tag
from realframe.store.run_artifacts import RevisionSource

_TAG_FORMAT = "%(refname:strip=2)%09%(contents:subject)%09%(*objectname)%09%(taggerdate:iso-strict)"
_ITEM_COLUMNS = ["media_id", "path", "kind", "label", "generator", "source", "split"]
_FRAME_ITEM_COLUMNS = ["media_id", "path", "label", "generator", "source", "group", "kind", "split", "cluster"]
_FRAME_COLUMNS = ["index", "time_s", "is_kept", "reason", "std", "sharpness", "phash"]
_CATEGORY_COLUMNS = ["kind", "label", "generator", "source", "split"]
_REJECTED_COLUMNS = ["path", "sha256", "code", "message"]
_AUDIT_KEYS = {"kinds", "limit", "passed", "allowed"}
_CACHED_VERSIONS = 4
_DVC_LOCK = threading.Lock()  # DVC's index is not thread-safe
_DVC_LOCK_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class DatasetVersion:
    """A dataset version.

    Attributes:
        tag: ``dataset/vN``.
        digest: 12 hex digits over its items with label, split and repeat.
        commit: of the run that made it.
        created: ISO 8601.
    """

    tag: str
    digest: str
    commit: str
    created: str


@dataclass(frozen=True)
class DatasetContents:
    """The content of a dataset version.

    Attributes:
        items: the media items, indexed and ordered by ``media_id``: ``path``, ``kind``, ``label``, ``generator``, ``source``, ``split``.
        rejected: the quarantined files: ``stage``, ``path``, ``sha256``, ``code``, ``message``.
        excluded: number of items that balancing left out, by reason.
        audit: content of ``data/shortcuts.json``; empty if the version has none or one with other keys.
    """

    items: pd.DataFrame
    rejected: pd.DataFrame
    excluded: Mapping[str, int]
    audit: Mapping[str, Any]


@dataclass(frozen=True)
class ItemCounts:
    """Number of items of one kind, generator or source and class, per split.

    Attributes:
        name: of the kind, generator or source; empty if unknown.
        label: ``real`` or ``fake``.
        by_split: number of items in each of ``SPLITS``.
        scale: the largest total of the rows of the same table.
    """

    name: str
    label: str
    by_split: tuple[int, ...]
    scale: int

    @property
    def total(self) -> int:
        """Number of items in all splits."""
        return sum(self.by_split)

    @property
    def bar_segments(self) -> list[tuple[str, float, float]]:
        """Split, start and length of each segment of a stacked bar, where the longest bar of the table is 100 long."""
        lengths = [100 * count / self.scale for count in self.by_split]
        return [(split, round(sum(lengths[:index]), 2), round(lengths[index], 2)) for index, split in enumerate(SPLITS)]


def dataset_versions(root: Path) -> list[DatasetVersion]:
    """Return the dataset versions of a repository, the newest first."""
    lines = git(root, "for-each-ref", "--sort=-version:refname", f"--format={_TAG_FORMAT}", "refs/tags/dataset/").splitlines()
    return [DatasetVersion(*line.split("\t")) for line in lines]


def load_contents(root: Path, version: DatasetVersion) -> DatasetContents:
    """Return the content of a version. Raises DatasetError if its commit has no item table, MetadataError if the table is lost.

    Raises ServiceError if another thread waits for the data remote.
    """
    with _hold_dvc():
        return _read_contents(root, version)


def find_shard(root: Path, version: DatasetVersion, media_id: str) -> Path | None:
    """Return the shard with the clean frames of an item, or None if the local DVC cache has none."""
    with _hold_dvc():
        return _revision(root, version.commit).cached_path(artifacts.CLEAN_FRAMES / f"{media_id}.tar")


def item_counts(items: pd.DataFrame, column: str) -> list[ItemCounts]:
    """Count items per value of a column, class and split; the most frequent first.

    Args:
        items: rows with ``label``, ``split`` and the column.
        column: ``kind``, ``generator`` or ``source``.
    """
    sizes = items.groupby([column, "label", "split"], observed=True).size()
    table = sizes.unstack("split", fill_value=0).reindex(columns=SPLITS, fill_value=0)
    scale = int(table.sum(axis=1).max()) if len(table) else 1
    rows = [
        ItemCounts(str(name), str(label), tuple(int(count) for count in counts), scale)
        for (name, label), counts in zip(table.index, table.to_numpy(), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.total, row.name, row.label))


def choose_dataset_tag(root: Path, tag: str | None = None) -> str:
    """Return ``tag``, or the tag of the newest dataset version if it is None. Raises DatasetError if there is no such version."""
    tags = git(root, "tag", "--list", "dataset/v*", "--sort=version:refname").splitlines()
    if not tags:
        raise DatasetError(root, "has no dataset version yet", "Make one: `realframe ingest PATH`, then `realframe run prepare_data`.")
    if tag and tag not in tags:
        raise DatasetError(tag, "there is no such dataset version", f"Choose one of {', '.join(tags)}.")
    return tag or str(find_newest_dataset_tag(root))


def list_sampled_frames(root: Path, tag: str) -> pd.DataFrame:
    """List the sampled frames of all items of a dataset version, including those that cleaning dropped.

    Args:
        root: the repository.
        tag: of the version, ``dataset/vN``.

    Returns:
        One row per frame, ordered by ``media_id`` and ``index``: ``media_id``, ``path`` (relative to data/raw), ``label``, ``generator``,
        ``source``, ``group``, ``kind``, ``split``, ``cluster`` of its item; ``index``, ``time_s`` (since the first frame), ``kept`` (bool),
        ``reason`` (why it was dropped; empty if it was kept), ``std``, ``sharpness`` and ``phash`` (16 hex digits) of the frame.

    Raises:
        DatasetError: the version's commit has no such tables.
        MetadataError: they are neither in the DVC cache nor on the remote.
    """
    version = RevisionSource(root, git(root, "rev-parse", f"{tag}^{{commit}}"))
    items, frames = (_read_table(version, path, tag) for path in (artifacts.SPLITS, artifacts.QUALITY))
    rows = items[_FRAME_ITEM_COLUMNS].merge(frames[["media_id", *_FRAME_COLUMNS]], on="media_id", validate="one_to_many")
    return rows.sort_values(["media_id", "index"], ignore_index=True)


@contextmanager
def _hold_dvc() -> Iterator[None]:
    """Keep other threads from DVC; where one waits for a data remote that hangs, the others do not wait for long."""
    if not _DVC_LOCK.acquire(timeout=_DVC_LOCK_TIMEOUT_S):
        raise ServiceError("data remote", f"another request has waited for it for more than {_DVC_LOCK_TIMEOUT_S:g} s", "Try again later.")
    try:
        yield
    finally:
        _DVC_LOCK.release()


@lru_cache(maxsize=_CACHED_VERSIONS)
def _revision(root: Path, commit: str) -> RevisionSource:
    return RevisionSource(root, commit)


@lru_cache(maxsize=_CACHED_VERSIONS)
def _read_contents(root: Path, version: DatasetVersion) -> DatasetContents:
    revision = _revision(root, version.commit)
    items = revision.read_table(artifacts.SPLITS, _ITEM_COLUMNS)
    if items is None:
        raise DatasetError(version.tag, "its commit has no item table", "Choose another version.")
    balanced = revision.read_table(artifacts.BALANCED, ["included", "exclusion_reason"])
    exclusion_reasons: Iterable[object] = () if balanced is None else balanced.loc[~balanced["included"], "exclusion_reason"]
    return DatasetContents(
        items=items.astype(dict.fromkeys(_CATEGORY_COLUMNS, "category")).set_index("media_id").sort_index(),
        rejected=_read_rejected(revision),
        excluded=dict(Counter(map(str, exclusion_reasons))),
        audit=_read_audit(revision),
    )


def _read_audit(revision: RevisionSource) -> dict[str, Any]:
    audit = json.loads(revision.read(artifacts.SHORTCUTS) or b"{}")
    return audit if audit.keys() >= _AUDIT_KEYS else {}


def _read_rejected(revision: RevisionSource) -> pd.DataFrame:
    tables = [(path.stem, revision.read_table(path)) for path in revision.list_files(artifacts.QUARANTINE) if path.suffix == ".parquet"]
    filled = [table[_REJECTED_COLUMNS].assign(stage=stage) for stage, table in tables if table is not None and len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*_REJECTED_COLUMNS, "stage"])


def _read_table(version: RevisionSource, path: Path, tag: str) -> pd.DataFrame:
    table = version.read_table(path)
    if table is None:
        raise DatasetError(f"{path} of {tag}", "does not exist: the run of that version did not write it", "Choose another version.")
    return table
