"""The worker processes beside the web process: started, started again when they die, and ended with it."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from realframe.settings import Settings

_FIRST_S, _LONGEST_S = 1.0, 30.0
_STEADY_S = 60.0  # who has lived so long did not die of how it was started
_GRACE_S = 10.0
_LOOK_S = 0.2
_log = logging.getLogger(__name__)


@contextmanager
def workers(settings: Settings, count: int) -> Iterator[None]:
    """Keep ``count`` workers running inside this block; they share the cores of this machine."""
    ending = threading.Event()
    threads = max(1, settings.workers // max(count, 1))
    keepers = [threading.Thread(target=_keep, args=(number + 1, threads, ending), daemon=True) for number in range(count)]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        ending.set()
        for keeper in keepers:
            keeper.join()


def _keep(number: int, threads: int, ending: threading.Event) -> None:
    pause = _FIRST_S
    while not ending.is_set():
        began = time.monotonic()
        status = _live(threads, ending)
        if ending.is_set():
            return
        pause = _FIRST_S if time.monotonic() - began > _STEADY_S else pause
        _log.warning("worker %d has ended with status %d; it is started again in %.0f s", number, status, pause)
        ending.wait(pause)
        pause = min(2 * pause, _LONGEST_S)


def _live(threads: int, ending: threading.Event) -> int:
    """Run a worker to its end, or end it; return its exit status.

    It is in a session of its own, so that Ctrl-C reaches it through us only. Should we be killed, the pipe that is its standard input
    ends, and so does the worker.
    """
    command = [sys.executable, "-m", "realframe.worker", "--threads", str(threads), "--with-parent"]
    with ExitStack() as end:
        process = end.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True))  # noqa: S603
        end.callback(_end, process)
        while process.poll() is None and not ending.wait(_LOOK_S):
            pass
    return process.returncode


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
