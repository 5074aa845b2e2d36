"""How a worker is told to leave: by a signal, or because the process that started it is gone."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_S = 8.0


class ShutdownRequestedError(Exception):
    """The work at hand is dropped, because the worker leaves."""


class Shutdown:
    """Knows whether this process is to leave, and takes it out of what it may be taken out of.

    Attributes:
        told: set once it is to leave.
    """

    def __init__(self) -> None:
        self.told = threading.Event()
        self._interruptible = False

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as the word to leave; in the main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._tell)

    def with_parent(self) -> None:
        """Leave when standard input ends, which is a pipe from the parent: it ends however the parent does."""
        threading.Thread(target=self._outlive, name="parent", daemon=True).start()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise LeavingError out of this block as soon as the process is to leave."""
        self._interruptible = True
        try:
            if self.told.is_set():
                raise ShutdownRequestedError
            yield
        finally:
            self._interruptible = False

    def _tell(self, number: int, frame: FrameType | None) -> None:
        self.told.set()
        if self._interruptible:
            self._interruptible = False
            raise ShutdownRequestedError

    def _outlive(self) -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_S)
        os._exit(1)  # the main thread hangs in somebody's C code
