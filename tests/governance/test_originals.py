"""Originals are found by their content: in data/raw, in the DVC cache at the run's commit, or not at all."""

import hashlib
from pathlib import Path

import pytest

from realframe.governance.paired_predictions import dataset_originals
from realframe.runs.git_dvc import dvc, git
from realframe.settings import Settings

BYTES = b"an original"
MEDIA_ID = hashlib.sha256(BYTES).hexdigest()
PATHS = {MEDIA_ID: "clips/a.mp4"}


@pytest.fixture
def commit(tmp_path: Path) -> str:
    """A run's commit whose original is in the DVC cache and no longer in data/raw."""
    file = tmp_path / "data" / "raw" / PATHS[MEDIA_ID]
    file.parent.mkdir(parents=True)
    file.write_bytes(BYTES)
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\n")
    git(tmp_path, "init", "-q")
    dvc(tmp_path, "init", "-q")
    dvc(tmp_path, "add", "-q", "data/raw")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "a run")
    file.unlink()
    return git(tmp_path, "rev-parse", "HEAD")


def test_a_deleted_original_comes_from_the_dvc_cache(commit: str, tmp_path: Path) -> None:
    with dataset_originals(PATHS, commit, Settings(root=tmp_path)) as find:
        found = find(MEDIA_ID)
        assert found is not None and found.read_bytes() == BYTES and found.suffix == ".mp4"
    assert not found.exists()


def test_another_file_at_the_same_path_is_not_used(commit: str, tmp_path: Path) -> None:
    current = tmp_path / "data" / "raw" / PATHS[MEDIA_ID]
    current.write_bytes(b"another one")
    with dataset_originals(PATHS, commit, Settings(root=tmp_path)) as find:
        found = find(MEDIA_ID)
        assert found is not None and found.read_bytes() == BYTES


def test_an_original_that_is_nowhere_is_none(commit: str, tmp_path: Path) -> None:
    for revision in (commit, "c" * 40):
        with dataset_originals({MEDIA_ID: "clips/b.mp4"}, revision, Settings(root=tmp_path)) as find:
            assert find(MEDIA_ID) is None
