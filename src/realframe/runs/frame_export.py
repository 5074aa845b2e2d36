"""What a dataset version holds, frame by frame, as one table for people and other programs."""

from pathlib import Path

import pandas as pd

from realframe import artifacts
from realframe.errors import DatasetError
from realframe.runs.git_dvc import git
from realframe.runs.run_versions import newest_dataset
from realframe.store.run_artifacts import RevisionSource

_OF_ITEM = ["media_id", "path", "label", "generator", "source", "group", "kind", "split", "cluster"]
_OF_FRAME = ["index", "time_s", "kept", "reason", "std", "sharpness", "phash"]


def choose_dataset(root: Path, tag: str | None = None) -> str:
    """Return ``tag``, or the newest dataset version's where none is named. Raises DatasetError where there is no such version."""
    known = git(root, "tag", "--list", "dataset/v*", "--sort=version:refname").splitlines()
    if not known:
        raise DatasetError(root, "has no dataset version yet", "Make one: `realframe ingest PATH`, then `realframe run prepare_data`.")
    if tag and tag not in known:
        raise DatasetError(tag, "there is no such dataset version", f"Choose one of {', '.join(known)}.")
    return tag or str(newest_dataset(root))


def sampled_frames(root: Path, tag: str) -> pd.DataFrame:
    """List the sampled frames of all items of a dataset version, those that cleaning dropped included.

    Args:
        root: the repository.
        tag: of the version, ``dataset/vN``.

    Returns:
        One row per frame, ordered by ``media_id`` and ``index``: ``media_id``, ``path`` (relative to data/raw), ``label``, ``generator``,
        ``source``, ``group``, ``kind``, ``split``, ``cluster`` of its item; ``index``, ``time_s`` (since the first frame), ``kept`` (bool),
        ``reason`` (why it was dropped; empty where it was kept), ``std``, ``sharpness`` and ``phash`` (16 hex digits) of the frame.

    Raises:
        DatasetError: the version's commit has no such tables.
        MetadataError: they are neither in the DVC cache nor on the remote.
    """
    version = RevisionSource(root, git(root, "rev-parse", f"{tag}^{{commit}}"))
    items, frames = (_table(version, path, tag) for path in (artifacts.SPLITS, artifacts.QUALITY))
    rows = items[_OF_ITEM].merge(frames[["media_id", *_OF_FRAME]], on="media_id", validate="one_to_many")
    return rows.sort_values(["media_id", "index"], ignore_index=True)


def _table(version: RevisionSource, path: Path, tag: str) -> pd.DataFrame:
    table = version.table(path)
    if table is None:
        raise DatasetError(f"{path} of {tag}", "was not made by that version's run", "Choose another version.")
    return table
