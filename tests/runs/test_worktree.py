"""A run works on its own branch with its parameters and a snapshot of the originals; the user's checkout does not change."""

import subprocess
from pathlib import Path

import pytest

from realframe.errors import DatasetError, RunError
from realframe.runs import run_inventory, run_versions, worktree
from realframe.runs.git_dvc import git
from realframe.runs.pipeline_run import PipelineRun, make_run_id
from realframe.settings import Settings


@pytest.fixture
def home(checkout: Path, tmp_path: Path) -> Settings:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    (clone / "data" / "raw" / "real").mkdir(parents=True)
    (clone / "data" / "raw" / "real" / "a.jpg").write_bytes(b"a")
    return Settings(root=clone, home=clone / ".realframe")


def _run(settings: Settings, name: str = "one") -> PipelineRun:
    return PipelineRun(id=make_run_id("prepare_data", name), dag="prepare_data", base=git(settings.root, "rev-parse", "HEAD"))


def test_a_snapshot_is_versioned_on_the_runs_branch_only(home: Settings) -> None:
    before = git(home.root, "rev-parse", "HEAD"), git(home.root, "status", "--porcelain")
    run = _run(home)
    folder = worktree.open_worktree(run, home)
    worktree.snapshot_raw(folder, home)
    worktree.write_params(folder, "scratch", {"train.phase1.epochs": 2})
    commit = run_versions.commit_run_files(folder, "prepare_data: dataset x")
    assert (git(home.root, "rev-parse", "HEAD"), git(home.root, "status", "--porcelain")) == before
    assert git(home.root, "branch", "--contains", commit).split() == ["+", run.branch]
    recorded = worktree.read_yaml_at(home.root, run.branch, Path("params.yaml"))
    assert recorded["recipe"] == "scratch"
    assert recorded["overrides"] == {"train.phase1.epochs": 2}
    assert "# " in git(home.root, "show", f"{run.branch}:params.yaml")
    assert git(home.root, "show", f"{run.branch}:data/raw.dvc")


def test_a_retried_task_continues_in_the_same_worktree(home: Settings) -> None:
    run = _run(home)
    folder = worktree.open_worktree(run, home)
    (folder / "build").mkdir()
    (folder / "build" / "half.txt").write_text("x")
    assert worktree.open_worktree(run, home) == folder
    assert (folder / "build" / "half.txt").exists()


def test_two_runs_are_open_at_once_and_one_closes(home: Settings) -> None:
    one, two = _run(home, "one"), _run(home, "two")
    first, second = worktree.open_worktree(one, home), worktree.open_worktree(two, home)
    run_inventory.remove_worktree(first, home.root)
    assert not first.exists()
    assert second.exists()


def test_a_deleted_original_is_not_in_the_next_snapshot(home: Settings) -> None:
    (home.raw_dir / "real" / "b.jpg").write_bytes(b"b")
    one = worktree.open_worktree(_run(home, "one"), home)
    worktree.snapshot_raw(one, home)
    (home.raw_dir / "real" / "a.jpg").unlink()
    two = worktree.open_worktree(_run(home, "two"), home)
    worktree.snapshot_raw(two, home)
    assert sorted(path.name for path in (two / "data" / "raw" / "real").iterdir()) == ["b.jpg"]
    assert sorted(path.name for path in (one / "data" / "raw" / "real").iterdir()) == ["a.jpg", "b.jpg"]


def test_without_originals_the_newest_dataset_is_taken_from_the_remote(home: Settings) -> None:
    run = _run(home)
    folder = worktree.open_worktree(run, home)
    worktree.snapshot_raw(folder, home)
    run_versions.commit_run_files(folder, "x")
    assert run_versions.tag_dataset(folder, "0123456789ab", home) == "dataset/v1"
    run_versions.push_run(folder, [], home)
    subprocess.run(["rm", "-rf", str(home.raw_dir), str(home.root / ".dvc" / "cache")], check=True)
    other = worktree.open_worktree(_run(home, "other"), home)
    worktree.snapshot_raw(other, home)
    assert (other / "data" / "raw" / "real" / "a.jpg").read_bytes() == b"a"


def test_missing_originals_are_an_error_with_a_hint(home: Settings) -> None:
    (home.raw_dir / "real" / "a.jpg").unlink()
    folder = worktree.open_worktree(_run(home), home)
    with pytest.raises(DatasetError, match="realframe ingest"):
        worktree.snapshot_raw(folder, home)


def test_the_same_digest_is_the_same_dataset_version(home: Settings) -> None:
    folder = worktree.open_worktree(_run(home), home)
    assert run_versions.tag_dataset(folder, "aaaaaaaaaaaa", home) == "dataset/v1"
    assert run_versions.tag_dataset(folder, "aaaaaaaaaaaa", home) is None
    assert run_versions.tag_dataset(folder, "bbbbbbbbbbbb", home) == "dataset/v2"
    assert run_versions.find_newest_dataset_tag(home.root) == "dataset/v2"


def test_uncommitted_edits_are_named(home: Settings) -> None:
    (home.root / "params.yaml").write_text((home.root / "params.yaml").read_text() + "# x\n")
    assert worktree.list_uncommitted_files(home.root) == ("params.yaml",)


def test_an_unknown_run_is_an_error(home: Settings) -> None:
    with pytest.raises(RunError, match="no such run"):
        PipelineRun.load("nonesuch", home)


def test_run_ids_are_valid_branch_names() -> None:
    assert make_run_id("train_model", "manual__2026-11-21T08:00:00+00:00") == "train_model-manual-2026-11-21T08-00-00-00-00"
