"""Runs are listed with their state; the oldest failed ones go by themselves; a model version's run and a running one stay."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from realframe.cli import app
from realframe.errors import RealframeError, RunError
from realframe.registry import model_registry
from realframe.runs import run_inventory, run_versions, worktree
from realframe.runs.git_dvc import git
from realframe.runs.pipeline_run import PipelineRun, hold_run, make_run_id
from realframe.runs.run_lifecycle import close_run
from realframe.settings import Settings, get_settings

KILLS = 18
FILE_BYTES = 1_000_000


@pytest.fixture
def home(checkout: Path, tmp_path: Path, embedded_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    for name, value in {"ROOT": clone, "HOME": clone / ".realframe"}.items():
        monkeypatch.setenv(f"REALFRAME_{name}", str(value))
    monkeypatch.setenv("MONGODB_URI", embedded_uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{clone / '.realframe' / 'mlflow.db'}")  # MLflow leaves its own in the process
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def _open(home: Settings, name: str, **values: object) -> PipelineRun:
    """Record a run and open its worktree, as a run does that is killed then."""
    base = git(home.root, "rev-parse", "HEAD")
    run = PipelineRun.model_validate({"id": make_run_id("train_model", name), "dag": "train_model", "base": base, **values})
    run.save(home)
    (worktree.open_worktree(run, home) / "stage.tmp").write_bytes(os.urandom(FILE_BYTES))
    return run


def _commit(run: PipelineRun, home: Settings, note: str) -> str:
    params = run.folder(home) / "params.yaml"
    params.write_text(f"{params.read_text()}# {note}\n")
    return run_versions.commit_run_files(run.folder(home), "train_model: dataset x")


def _disk_bytes(folder: Path) -> int:
    return int(subprocess.run(["du", "-sb", str(folder)], capture_output=True, text=True, check=True).stdout.split()[0])


def _realframe(home: Settings, *arguments: str, status: int = 0, answer: str = "") -> str:
    result = CliRunner().invoke(app, ["runs", *arguments], input=answer, env={"COLUMNS": "200"})
    printed = f"{result.output}{result.exception if isinstance(result.exception, RealframeError) else ''}"
    assert result.exit_code == status, printed
    return printed


def _states(home: Settings) -> dict[str, str]:
    return {entry.run.id: entry.state for entry in run_inventory.list_runs(home)}


def _past(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def test_many_kills_do_not_fill_the_disk(home: Settings) -> None:
    sizes, branches = [], []
    for number in range(KILLS):
        run_inventory.remove_old_failed_runs(home)
        _open(home, f"killed {number}")
        sizes.append(_disk_bytes(home.state_dir) + _disk_bytes(home.root / ".git"))
        branches.append(len(git(home.root, "branch", "--list", "runs/*").splitlines()))
    assert max(branches) == home.keep_failed_runs + 1
    assert sizes[-1] < sizes[home.keep_failed_runs] * 1.05
    assert list(_states(home)) == [f"train_model-killed-{number}" for number in reversed(range(KILLS - home.keep_failed_runs - 1, KILLS))]


def test_old_failed_runs_go_but_not_commits_and_no_other_runs(home: Settings) -> None:
    home = home.model_copy(update={"keep_failed_runs": 0})
    failed, killed, committed, finished, running = (_open(home, name) for name in ("failed", "killed", "committed", "finished", "running"))
    with pytest.raises(RunError), hold_run(failed, home):
        raise RunError("stage train", "failed with status 255")
    _commit(committed, home, "committed")
    _commit(finished, home, "finished")
    close_run(finished, home)
    with hold_run(running, home):
        assert _states(home) == {
            failed.id: "failed",
            killed.id: "killed",
            committed.id: "killed",
            finished.id: "finished",
            running.id: "running",
        }
        removed = run_inventory.remove_old_failed_runs(home)
        assert {run.id for run in removed} == {failed.id, killed.id, committed.id}
        assert running.folder(home).exists()
    assert set(_states(home)) == {finished.id, running.id}
    branches = git(home.root, "branch", "--list", "--format=%(refname:short)", "runs/*").splitlines()
    assert branches == sorted([committed.branch, finished.branch, running.branch])


def test_a_worktree_that_git_did_not_finish_is_removed(home: Settings) -> None:
    whole, no_link, locked = (_open(home, name) for name in ("whole", "no link", "locked"))
    (no_link.folder(home) / ".git").unlink()
    (home.root / ".git" / "worktrees" / locked.id / "locked").write_text("initializing")
    for run in (whole, no_link, locked):
        run_inventory.remove_run(run, home)
        assert not run.folder(home).exists()
    assert git(home.root, "worktree", "list").count("\n") == 0
    assert _states(home) == {}
    again = _open(home, "whole")  # the same name, as a DAG run that is started again has
    assert again.folder(home).exists()


def test_a_run_of_tasks_waits_for_its_next_task_for_a_day(home: Settings) -> None:
    waiting, dead = (_open(home, name, in_tasks=True) for name in ("waiting", "dead"))
    for run in (waiting, dead):
        with hold_run(run, home):
            pass
    lock = home.state_dir / "runs" / f"{dead.id}.lock"
    os.utime(lock, (time.time() - 90_000,) * 2)
    assert _states(home) == {waiting.id: "running", dead.id: "killed"}
    with pytest.raises(ValueError, match="task"), hold_run(waiting, home):
        raise ValueError("the task failed")
    assert _states(home)[waiting.id] == "failed"
    with hold_run(waiting, home):  # Airflow tries again
        pass
    assert _states(home)[waiting.id] == "running"
    assert "--force" in _realframe(home, "remove", waiting.id, "--yes", status=1)
    with hold_run(waiting, home):  # while a task runs, not even then
        assert "is running" in _realframe(home, "remove", waiting.id, "--yes", "--force", status=1)
    _realframe(home, "remove", waiting.id, "--yes", "--force")
    assert set(_states(home)) == {dead.id}


def test_the_list_shows_size_commit_and_version(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, killed = _open(home, "trained", recipe="scratch"), _open(home, "killed", recipe="lstm")
    commit = _commit(trained, home, "trained")
    close_run(trained, home)
    table = _realframe(home, "list")
    assert "scratch" in table and "finished" in table and commit[:10] in table
    rows = {row["run"]: row for row in json.loads(_realframe(home, "list", "--json"))}
    assert rows[trained.id] | {"started": ""} == {
        "run": trained.id,
        "dag": "train_model",
        "started": "",
        "started_by": "",
        "recipe": "scratch",
        "state": "finished",
        "error": "",
        "disk_bytes": 0,
        "folder": None,
        "branch": trained.branch,
        "commit": commit,
        "version": None,
    }
    assert rows[killed.id]["commit"] is None
    assert rows[killed.id]["disk_bytes"] >= FILE_BYTES
    assert Path(rows[killed.id]["folder"]) == killed.folder(home)


def test_a_record_that_was_half_written_is_not_listed_and_goes_with_its_run(home: Settings) -> None:
    run = _open(home, "killed")
    partial = home.state_dir / "runs" / f".{run.id}.0123abcd.tmp.json"
    partial.write_text('{"id":')
    assert [entry.run.id for entry in run_inventory.list_runs(home)] == [run.id]
    run_inventory.remove_run(run, home)
    assert list(partial.parent.iterdir()) == []


def test_the_size_is_what_a_removal_frees(home: Settings) -> None:
    run = _open(home, "killed")
    (before,) = run_inventory.list_runs(home)
    os.link(run.folder(home) / "stage.tmp", home.state_dir / "kept")  # as DVC links its cache
    (after,) = run_inventory.list_runs(home)
    assert before.disk_bytes - after.disk_bytes >= FILE_BYTES


def test_runs_are_removed_by_name_state_and_age_after_a_confirmation(home: Settings) -> None:
    old, new, failed = _open(home, "old", created=_past(40)), _open(home, "new"), _open(home, "failed", created=_past(20))
    with pytest.raises(RunError), hold_run(failed, home):
        raise RunError("stage train", "failed")
    close_run(new, home)
    assert "Aborted" in _realframe(home, "remove", old.id, answer="n\n", status=1)
    assert len(_states(home)) == 3
    assert "Removed 1 run" in _realframe(home, "remove", old.id, answer="y\n")
    assert set(_states(home)) == {new.id, failed.id}
    assert "No run to remove" in _realframe(home, "remove", "--failed", "--older-than", "30", "--yes")
    _realframe(home, "remove", "--failed", "--yes")
    assert set(_states(home)) == {new.id}
    _realframe(home, "remove", "--older-than", "0", "--yes")
    assert _states(home) == {}
    assert "there is no such run" in _realframe(home, "remove", "nonesuch", status=1)
    assert "--older-than" in _realframe(home, "remove", status=2)
    assert "--older-than" in _realframe(home, "remove", "x", "--failed", status=2)


def test_the_run_of_a_model_version_is_refused(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, other = _open(home, "trained"), _open(home, "other")
    commit = _commit(trained, home, "trained")
    _commit(other, home, "other")
    evaluated = _open(home, "again", dag="evaluate", base=commit)
    _commit(evaluated, home, "evaluated")
    for run in (trained, other, evaluated):
        close_run(run, home)
    _register(commit, home)
    assert "is the run of model version 1" in _realframe(home, "remove", trained.id, "--yes", status=1)
    assert "is the run of model version 1" in _realframe(home, "remove", evaluated.id, "--yes", status=1)
    assert '"version": 1' in _realframe(home, "list", "--json")
    printed = _realframe(home, "remove", "--older-than", "0", "--yes")
    assert f"{trained.id} stays: it is the run of model version 1" in printed
    assert set(_states(home)) == {trained.id, evaluated.id}
    _realframe(home, "remove", trained.id, evaluated.id, "--force", "--yes")
    assert _states(home) == {}


def test_a_run_stays_if_the_registry_cannot_be_read(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = _open(home, "trained")
    _commit(trained, home, "trained")
    close_run(trained, home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    get_settings.cache_clear()
    assert "the registry cannot be read" in _realframe(home, "remove", trained.id, "--yes", status=1)
    assert "unknown" in _realframe(home, "list")


def _register(commit: str, home: Settings) -> None:
    """Register a small model as a run with this commit does."""
    from tests import run_folder

    folder = home.state_dir / "trained"
    folder.mkdir()
    run_folder.write_training(folder, run_folder.write_dataset(folder, 40))
    run_folder.write_model(folder, 0.0)
    assert model_registry.register_folder(folder, commit=commit) == 1
