"""A pipeline run that is killed at any moment leaves no process behind, is listed as killed, and does not fill the disk."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from realframe.errors import RunError
from realframe.runs import run_inventory
from realframe.runs.git_dvc import git
from realframe.settings import Settings
from tests.process_marks import VARIABLE, interruptible, list_processes, token, wait_for_end
from tests.runs.conftest import MakeHome

__all__ = ["interruptible", "token"]


# the second stage waits, with a process in a session of its own, as FFmpeg runs
STAGES = """stages:
  first:
    cmd: cp params.yaml first.txt
    deps: [params.yaml]
    outs: [first.txt]
    meta: {dag: prepare_data}
  second:
    cmd: python -c "import pipelines, subprocess as s; open('waiting', 'w'); s.Popen(['sleep', '300'], start_new_session=True).wait()"
    deps: [first.txt]
    outs: [second.txt]
    meta: {dag: prepare_data}
"""
KEPT = 2

pytestmark = [pytest.mark.timeout(600), pytest.mark.slow]


@pytest.fixture
def home(make_home: MakeHome) -> Settings:
    return make_home(STAGES)


def _environment(home: Settings, **more: str) -> dict[str, str]:
    own = {"REALFRAME_ROOT": str(home.root), "REALFRAME_HOME": str(home.state_dir), "MONGODB_URI": str(home.mongodb_uri)}
    code = f"{home.root / 'src'}{os.pathsep}{home.root}"
    return {**os.environ, **own, "PYTHONPATH": code, "REALFRAME_KEEP_FAILED_RUNS": str(KEPT), "COLUMNS": "200", **more}


def _start(home: Settings, token: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "realframe", "run", "prepare_data"]
    env = _environment(home, **{VARIABLE: token})
    # a terminal's Ctrl-C reaches the process group of the command
    return subprocess.Popen(
        command, cwd=home.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def _realframe(home: Settings, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "realframe", *arguments]
    process = subprocess.run(command, cwd=home.root, env=_environment(home), capture_output=True, text=True, check=False)
    assert process.returncode == status, process.stdout + process.stderr
    return process.stdout + process.stderr


def _states(home: Settings) -> list[str]:
    return [entry.state for entry in run_inventory.list_runs(home)]


def _has_file(home: Settings, name: str) -> bool:
    """Return whether a worktree has this file."""
    return bool(list((home.state_dir / "runs").glob(f"*/{name}")))


def _wait_until(is_met: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not is_met():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)


MOMENTS: dict[str, Callable[[Settings, str], object]] = {
    "the run is recorded": lambda home, token: list((home.state_dir / "runs").glob("[!.]*.json")),
    "its worktree is created": lambda home, token: (home.root / ".git" / "worktrees").exists(),
    "dvc adds the originals": lambda home, token: _has_file(home, "data/raw/real/a.png"),
    "the first stage ran": lambda home, token: _has_file(home, "first.txt"),
    "the second stage waits": lambda home, token: _has_file(home, "waiting"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_no_process_survives_sigkill(moment: str, home: Settings, token: str) -> None:
    process = _start(home, token)
    _wait_until(lambda: MOMENTS[moment](home, token), process)
    process.kill()
    process.communicate()
    assert wait_for_end(token, 10) == []
    (entry,) = run_inventory.list_runs(home)
    assert entry.state == "killed"
    run_inventory.remove_run(entry.run, home)
    assert list((home.state_dir / "runs").iterdir()) == []
    assert git(home.root, "worktree", "list").count("\n") == 0
    assert git(home.root, "branch", "--list", "runs/*") == ""


def test_ctrl_c_stops_the_run_and_says_what_is_left(home: Settings, token: str) -> None:
    process = _start(home, token)
    _wait_until(lambda: _has_file(home, "waiting"), process)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert wait_for_end(token, 0) == []
    (entry,) = run_inventory.list_runs(home)
    assert entry.state == "killed"
    assert str(entry.run.folder(home)) in stderr and f"realframe runs remove {entry.run.id}" in stderr
    assert "stage first: done" in stdout
    assert "Traceback" not in stdout + stderr


def test_sigterm_stops_the_run_as_ctrl_c_does(home: Settings, token: str) -> None:
    process = _start(home, token)
    _wait_until(lambda: _has_file(home, "waiting"), process)
    process.terminate()
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert wait_for_end(token, 0) == []
    assert "realframe runs remove" in stderr


def test_a_running_run_is_listed_and_cannot_be_removed(home: Settings, token: str) -> None:
    process = _start(home, token)
    _wait_until(lambda: _has_file(home, "waiting"), process)
    (entry,) = run_inventory.list_runs(home)
    assert entry.state == "running"
    assert "is running" in _realframe(home, "runs", "remove", entry.run.id, "--yes", status=1)
    with pytest.raises(RunError, match="is running"):
        run_inventory.remove_run(entry.run, home)
    assert run_inventory.select_runs([entry], failed=False, older_than_days=0) == []
    assert process.poll() is None
    # the run counts as running until its last process has ended
    supervisor = [
        other for other in list_processes(token) if "--lifeline" in other.cmdline() and "dvc_stage.py" in " ".join(other.cmdline())
    ]
    supervisor[0].suspend()
    process.kill()
    process.wait()
    assert _states(home) == ["running"]
    supervisor[0].resume()
    process.communicate()
    assert wait_for_end(token, 10) == []
    assert _states(home) == ["killed"]


def test_later_runs_remove_what_killed_runs_left(home: Settings, token: str) -> None:
    for _ in range(KEPT + 2):
        known = set(_added_originals(home))
        process = _start(home, token)
        _wait_until(partial(_has_new_originals, home, known), process)
        process.kill()
        process.communicate()
        assert wait_for_end(token, 10) == []
    assert _states(home) == ["killed"] * (KEPT + 1)  # the newest was counted by no later run
    assert len(git(home.root, "branch", "--list", "runs/*").splitlines()) == KEPT + 1
    assert len([path for path in (home.state_dir / "runs").iterdir() if path.is_dir()]) == KEPT + 1


def _added_originals(home: Settings) -> list[Path]:
    return list((home.state_dir / "runs").glob("*/data/raw.dvc"))


def _has_new_originals(home: Settings, known: set[Path]) -> bool:
    return not known.issuperset(_added_originals(home))
