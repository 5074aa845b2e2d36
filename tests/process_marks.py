"""Find processes: those below others, and, by a variable in their environment, those that have left the session; fixtures for that."""

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


def list_commands(*parents: psutil.Process) -> list[list[str]]:
    """Return the command lines of processes and of all below them that have not ended."""
    commands = []
    for parent in parents:
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # also of a process that has ended just now and is a zombie
                commands.append(process.cmdline())
    return commands


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
