"""The dataset versions of a checkout, and what each of them holds. What a version holds never changes, so it is read once."""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from bonafide import artefacts
from bonafide.errors import DatasetError
from bonafide.metadata.sources import Revision
from bonafide.runs.process import git

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
class Contents:
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


def contents_of(root: Path, version: DatasetVersion) -> Contents:
    """Return what a version holds. Raises DatasetError where its run left no dataset, MetadataError where its tables are lost."""
    with _reading:
        return _contents(root, version)


def shard_of(root: Path, version: DatasetVersion, media_id: str) -> Path | None:
    """Return the shard with the clean frames of an item; None where this machine's DVC cache has none."""
    with _reading:
        return _revision(root, version.commit).cached(artefacts.CLEAN / f"{media_id}.tar")


@lru_cache(maxsize=_READ_AT_ONCE)
def _revision(root: Path, commit: str) -> Revision:
    return Revision(root, commit)


@lru_cache(maxsize=_READ_AT_ONCE)
def _contents(root: Path, version: DatasetVersion) -> Contents:
    revision = _revision(root, version.commit)
    items = revision.table(artefacts.SPLITS, _OF_ITEM)
    if items is None:
        raise DatasetError(version.tag, "its run left no table of items", "Choose another version.")
    balanced = revision.table(artefacts.BALANCED, ["included", "why"])
    left_out: Iterable[object] = () if balanced is None else balanced.loc[~balanced["included"], "why"]
    return Contents(
        items=items.astype(dict.fromkeys(_REPEATED, "category")).set_index("media_id").sort_index(),
        rejected=_rejected(revision),
        left_out=dict(Counter(map(str, left_out))),
        audit=_audit(revision),
    )


def _audit(revision: Revision) -> dict[str, Any]:
    said = json.loads(revision.read(artefacts.SHORTCUTS) or b"{}")
    return said if said.keys() >= _OF_AUDIT else {}


def _rejected(revision: Revision) -> pd.DataFrame:
    tables = [(path.stem, revision.table(path)) for path in revision.inside(artefacts.QUARANTINE) if path.suffix == ".parquet"]
    filled = [table[_OF_REJECTED].assign(stage=stage) for stage, table in tables if table is not None and len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=[*_OF_REJECTED, "stage"])
