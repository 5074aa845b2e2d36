"""Run the worker processes next to the web process: start them, restart them when they die, and end them with it."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from realframe.settings import Settings

_FIRST_PAUSE_S, _MAX_PAUSE_S = 1.0, 30.0
_STEADY_S = 60.0  # a worker that ran so long did not die of how it was started
_GRACE_S = 10.0
_POLL_INTERVAL_S = 0.2
_log = logging.getLogger(__name__)


@contextmanager
def run_workers(settings: Settings, count: int) -> Iterator[None]:
    """Keep ``count`` workers running inside this block; they share the cores of this machine."""
    stopped = threading.Event()
    threads = max(1, settings.workers // max(count, 1))
    supervisors = [threading.Thread(target=_supervise, args=(number + 1, threads, stopped), daemon=True) for number in range(count)]
    for supervisor in supervisors:
        supervisor.start()
    try:
        yield
    finally:
        stopped.set()
        for supervisor in supervisors:
            supervisor.join()


def _supervise(number: int, threads: int, stopped: threading.Event) -> None:
    pause = _FIRST_PAUSE_S
    while not stopped.is_set():
        started = time.monotonic()
        status = _run_worker(threads, stopped)
        if stopped.is_set():
            return
        pause = _FIRST_PAUSE_S if time.monotonic() - started > _STEADY_S else pause
        _log.warning("worker %d ended with status %d; it restarts in %.0f s", number, status, pause)
        stopped.wait(pause)
        pause = min(2 * pause, _MAX_PAUSE_S)


def _run_worker(threads: int, stopped: threading.Event) -> int:
    """Run a worker until it ends or is to be stopped; return its exit status.

    It is in a session of its own, so that Ctrl-C reaches it only through this process. When this process is killed, the pipe that is the
    worker's standard input ends, and so does the worker.
    """
    command = [sys.executable, "-m", "realframe.worker", "--threads", str(threads), "--with-parent"]
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))  # noqa: S603
        stack.callback(_terminate, process)
        while process.poll() is None and not stopped.wait(_POLL_INTERVAL_S):
            pass
    return process.returncode


def _terminate(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
