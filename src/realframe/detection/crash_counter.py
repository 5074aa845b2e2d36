"""Count the attempts at a file across process deaths, so that a file that ends the detector's process is given up."""

from pathlib import Path
from typing import Protocol

from realframe.files import write_text

MAX_ATTEMPTS = 3
"""Attempts at one file that may fail or end the process before it is given up; the same for the command, the scoring job and the worker.

Three, because a process also ends for reasons outside the file, such as a restarted machine or another program that takes the memory,
and a file is given up for good.
"""


class AttemptCounter(Protocol):
    """The attempts at each file that began and did not end with a result."""

    def get(self, key: str) -> int:
        """Return the attempts at the file with this key."""

    def set(self, key: str, attempts: int) -> None:
        """Store the attempts at the file with this key; 0 forgets the file."""


class CrashCounter:
    """An attempt counter on disk: one small file for each media file that has attempts.

    Two processes that score the same file at the same time count each other's attempt until they end.

    Args:
        folder: of the files; created when the first attempt begins.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> int:
        """Return the attempts at the file with this key."""
        try:
            return int((self._folder / key).read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def set(self, key: str, attempts: int) -> None:
        """Store the attempts at the file with this key; 0 forgets the file. Raises OSError where the disk is full."""
        if attempts:
            write_text(self._folder / key, str(attempts))
        else:
            (self._folder / key).unlink(missing_ok=True)


class RecordedAttempts:
    """The attempt counter of a file whose record in the metadata store counts its attempts, so that nothing is left to store.

    Args:
        attempts: that began before this one.
    """

    def __init__(self, attempts: int = 0) -> None:
        self._attempts = attempts

    def get(self, key: str) -> int:
        """Return the attempts of the record, whatever the key."""
        return self._attempts

    def set(self, key: str, attempts: int) -> None:
        """Do nothing: the store counts an attempt when a worker claims the record."""
