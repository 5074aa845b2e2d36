"""Find the processes below a process by a variable in their environment, also those that have left its session; fixtures for that."""

import signal
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

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


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let child processes get SIGINT; a shell that runs the tests in the background makes them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def token() -> Iterator[str]:
    value = uuid.uuid4().hex
    yield value
    wait_for_end(value, 0)
