"""A supervised program and all processes below it end when the process that started it ends, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from realframe.child_processes import GRACE_S, MARK, environment_without_mark, run_supervised
from tests.process_marks import VARIABLE, interruptible, list_processes, token, wait_for_end

__all__ = ["interruptible", "token"]

SLEEP = [sys.executable, "-c", "import time; time.sleep(300)"]
# a stage with a process in a session of its own, as FFmpeg is, one whose parent has ended, and files that tell what happened
PROGRAM = f"""
import os, signal, subprocess, sys, time
from pathlib import Path
subprocess.Popen({SLEEP!r}, start_new_session=True)
subprocess.run(["/bin/sh", "-c", "setsid {sys.executable} -c 'import time; time.sleep(300)' & "])
Path("started").touch()
try:
    time.sleep(300)
except KeyboardInterrupt:
    Path("interrupted").touch()
    time.sleep(float(sys.argv[1]))
    Path("cleaned").touch()
"""
STARTER = """
import os, sys
from pathlib import Path
from realframe.child_processes import run_supervised

try:
    run_supervised([sys.executable, "-c", sys.argv[1], *sys.argv[2:]], Path(), os.environ)
finally:
    Path("returned").touch()
"""
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(token: str, tmp_path: Path) -> Start:
    """Return a function that starts a process which runs the program under supervision, and waits until the program has started."""

    def start_process(program: str = PROGRAM, *arguments: str) -> "subprocess.Popen[bytes]":
        env = {**os.environ, VARIABLE: token}
        process = subprocess.Popen(
            [sys.executable, "-c", STARTER, program, *arguments], cwd=tmp_path, env=env, stderr=subprocess.DEVNULL, start_new_session=True
        )
        _wait_until((tmp_path / "started").exists)
        return process

    return start_process


def _wait_until(is_met: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not is_met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _supervisor(process: "subprocess.Popen[bytes]") -> psutil.Process:
    (child,) = psutil.Process(process.pid).children()
    return child


@pytest.mark.slow
def test_all_processes_end_when_the_process_above_is_killed(start: Start, token: str, tmp_path: Path) -> None:
    process = start(PROGRAM, "0")
    assert len(list_processes(token)) >= 5  # this process, the supervisor, the program and its two children
    process.kill()
    process.wait()
    assert wait_for_end(token, 5) == []
    assert (tmp_path / "cleaned").exists()  # there was time to clean up


@pytest.mark.slow
def test_a_program_that_does_not_stop_is_killed(start: Start, token: str, tmp_path: Path) -> None:
    process = start(PROGRAM, "300")
    process.kill()
    process.wait()
    assert wait_for_end(token, GRACE_S + 10) == []
    assert (tmp_path / "interrupted").exists()
    assert not (tmp_path / "cleaned").exists()


@pytest.mark.slow
def test_ctrl_c_interrupts_the_program_and_waits_for_it(start: Start, token: str, tmp_path: Path) -> None:
    process = start(PROGRAM, "0.5")
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    assert (tmp_path / "cleaned").exists()
    assert (tmp_path / "returned").exists()
    assert wait_for_end(token, 0) == []


@pytest.mark.slow
def test_a_second_ctrl_c_kills_the_program_at_once(start: Start, token: str, tmp_path: Path) -> None:
    process = start(PROGRAM, "300")
    os.killpg(process.pid, signal.SIGINT)
    _wait_until((tmp_path / "interrupted").exists)
    since = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    assert time.monotonic() - since < GRACE_S - 1
    assert wait_for_end(token, 0) == []


@pytest.mark.slow
def test_all_processes_end_when_the_supervisor_is_killed(start: Start, token: str, tmp_path: Path) -> None:
    process = start()
    _supervisor(process).kill()
    process.wait(30)
    assert (tmp_path / "returned").exists()
    assert wait_for_end(token, 0) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux only signals the death of a parent")
@pytest.mark.slow
def test_the_program_ends_when_the_supervisor_and_the_process_above_are_killed(start: Start) -> None:
    process = start()
    supervisor = _supervisor(process)
    (program,) = supervisor.children()
    process.kill()
    supervisor.kill()
    process.wait()
    _wait_until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE, 5)


def test_output_and_exit_status_are_returned(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd()); print('problem', file=sys.stderr); print(repr(sys.stdin.read())); sys.exit(7)"
    process = run_supervised([sys.executable, "-c", code], tmp_path, os.environ, capture=True)
    assert (process.returncode, process.stdout, process.stderr) == (7, f"{tmp_path}\n''\n", "problem\n")
    assert run_supervised(["/bin/sh", "-c", "kill -9 $$"], tmp_path, os.environ).returncode == 128 + signal.SIGKILL


def test_output_goes_to_the_streams_of_this_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_supervised(["/bin/sh", "-c", "echo out; echo problem >&2"], tmp_path, os.environ)
    assert capfd.readouterr() == ("out\n", "problem\n")


def test_what_a_program_leaves_behind_ends_with_it_except_services(token: str, tmp_path: Path) -> None:
    code = f"import subprocess, os; subprocess.Popen({SLEEP!r}, start_new_session=True)\n"
    code += "from realframe.child_processes import environment_without_mark as without\n"
    code += f"subprocess.Popen([*{SLEEP!r}, 'service'], start_new_session=True, env=without(os.environ))"
    run_supervised([sys.executable, "-c", code], tmp_path, {**os.environ, VARIABLE: token})
    assert [process.cmdline()[-1] for process in list_processes(token)] == ["service"]
    assert MARK not in environment_without_mark({MARK: "x"})


def test_nested_supervision_keeps_the_marks_of_all_levels(tmp_path: Path) -> None:
    code = f"import os; print(len(os.environ['{MARK}'].split()))"
    process = run_supervised([sys.executable, "-c", code], tmp_path, {**os.environ, MARK: "outer"}, capture=True)
    assert process.stdout == "2\n"


def test_a_program_that_takes_too_long_is_stopped(token: str, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_supervised(SLEEP, tmp_path, {**os.environ, VARIABLE: token}, timeout_s=0.5)
    assert wait_for_end(token, 0) == []
