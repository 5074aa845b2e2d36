"""Run a program so that it and all processes below it end when this process ends, however it ends, SIGKILL included.

The program is started by a supervisor: this file, run as a script, in a session of its own. A pipe connects it with the process that
started it. When that process ends, the kernel closes the pipe, on Linux and on macOS alike, and the supervisor stops the program.

The processes below are found by a mark in their environment, which children inherit, so also those that have left the session (FFmpeg
runs in one of its own) or whose parent has died. A service that shall outlive the program is started without the mark:
``environment_without_mark``.

As a script, this file imports nothing of this package: the program may be the code of another commit.
"""

import argparse
import ctypes
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "REALFRAME_PROCESS_MARKS"
"""The environment variable with the marks of the supervisors above a process, separated by spaces."""
GRACE_S = 5.0
"""How long the processes have between SIGINT and SIGKILL, seconds."""
_SCAN_INTERVAL_S = 0.05
_EMPTY_SCANS = 3  # a process that is just starting another program has no environment for a moment
_PR_SET_PDEATHSIG = 1


def run_supervised(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    *,
    capture: bool = False,
    held_files: Sequence[int] = (),
    timeout_s: float | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run a program; its standard input is empty.

    An exception in this thread, such as KeyboardInterrupt, stops it: its processes get SIGINT, and SIGKILL after ``GRACE_S``. A second
    KeyboardInterrupt kills them at once. All of them have ended when this function returns or raises.

    Args:
        command: the program and its arguments.
        folder: its working folder.
        env: its environment.
        capture: return its standard output and error; otherwise it writes to those of this process.
        held_files: file descriptors that stay open until all processes have ended, such as that of a lock.
        timeout_s: stop it after so many seconds.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``timeout_s``.
    """
    mark = secrets.token_hex(8)
    marked = {**env, MARK: f"{env.get(MARK, '')} {mark}".strip()}
    lifeline, own_end = os.pipe()
    stream = subprocess.PIPE if capture else None
    sys.stdout.flush()
    sys.stderr.flush()
    script = [sys.executable, "-P", __file__, "--lifeline", str(lifeline), "--mark", mark, "--", *command]
    try:
        process = subprocess.Popen(  # noqa: S603
            script,
            cwd=folder,
            env=marked,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=(lifeline, *held_files),
        )
    except BaseException:
        os.close(own_end)
        raise
    finally:
        os.close(lifeline)
    with process:
        try:
            stdout, stderr = process.communicate(timeout=timeout_s)
        finally:
            os.close(own_end)
            _wait_for_supervisor(process)
            if process.returncode < 0:  # the supervisor itself was killed
                kill_marked(mark)
    return subprocess.CompletedProcess(list(command), process.returncode, stdout or "", stderr or "")


def environment_without_mark(env: Mapping[str, str]) -> dict[str, str]:
    """Return ``env`` for a service that shall outlive the program that starts it."""
    return {name: value for name, value in env.items() if name != MARK}


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends; on systems other than Linux, do nothing.

    It is for the case that the supervisor is killed together with the process above it.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def list_marked(mark: str) -> list[psutil.Process]:
    """Return the running processes of this user whose environment has the mark, without this one."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended, or belongs to another user
            if process.pid != os.getpid() and mark in process.environ().get(MARK, "").split():
                found.append(process)
    return found


def kill_marked(mark: str) -> None:
    """Kill all processes with the mark, and those that they start meanwhile."""
    empty_scans = 0
    while empty_scans < _EMPTY_SCANS:
        found = list_marked(mark)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        empty_scans = 0 if found else empty_scans + 1
        time.sleep(_SCAN_INTERVAL_S)


def _wait_for_supervisor(process: "subprocess.Popen[str]") -> None:
    while process.poll() is None:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGTERM)


def _supervise(command: Sequence[str], lifeline: int, mark: str) -> int:
    """Run the command until it ends or the lifeline closes; return its exit status as a shell does."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)  # a handler, not SIG_IGN, which the command would inherit
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)  # noqa: S603
    while child.poll() is None:
        ready, _, _ = select.select([lifeline, reader], [], [])
        if lifeline in ready or signal.SIGTERM in os.read(reader, 1024):
            os.killpg(os.getpgrp(), signal.SIGINT)
            _wait_gracefully(child, reader)
            break
    if child.poll() is None or list_marked(mark):
        kill_marked(mark)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _wait_gracefully(child: "subprocess.Popen[bytes]", signals: int) -> None:
    """Wait until the child ends, ``GRACE_S`` have passed, or SIGTERM arrives."""
    deadline = time.monotonic() + GRACE_S
    while child.poll() is None and (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([signals], [], [], left)
        if ready and signal.SIGTERM in os.read(signals, 1024):
            return


def _ignore(*_: object) -> None:
    """Handle a signal whose arrival is read from the wake-up pipe."""


def main(arguments: Sequence[str]) -> int:
    """Supervise a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lifeline", type=int, required=True, help="file descriptor of the pipe to the process that started this one")
    parser.add_argument("--mark", required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    return _supervise(options.command, options.lifeline, options.mark)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
