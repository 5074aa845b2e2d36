"""Find the processes below a process by a variable in their environment, also those that have left its session."""

import time
from contextlib import suppress

import psutil

VARIABLE = "TEST_PROCESSES"


def list_processes(value: str) -> list[psutil.Process]:
    """Return the running processes whose environment has ``VARIABLE`` with this value."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(VARIABLE) == value and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_for_end(value: str, seconds: float) -> list[str]:
    """Wait until none of these processes is left; return the command lines of those that are left after ``seconds``."""
    deadline = time.monotonic() + seconds
    while (left := list_processes(value)) and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = []
    for process in left:
        with suppress(psutil.Error):
            lines.append(" ".join(process.cmdline()))
            process.kill()
    return lines
