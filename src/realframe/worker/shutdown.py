"""Shut a worker down on a signal, or when the process that started it ends."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_GRACE_S = 8.0


class ShutdownRequestedError(BaseException):
    """Interrupts the work in an interruptible block. Not an ``Exception``, so that no handler takes it for an error of a file."""


class Shutdown:
    """Tracks shutdown requests, and interrupts blocks that may be interrupted.

    Attributes:
        requested: set once a shutdown is requested.
    """

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._is_interruptible = False

    def handle_signals(self) -> None:
        """Request the shutdown on SIGTERM and SIGINT; only in the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)

    def follow_parent(self) -> None:
        """Request the shutdown when standard input ends: a pipe from the parent, which ends however the parent does."""
        threading.Thread(target=self._watch_parent, name="parent", daemon=True).start()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raise ShutdownRequestedError inside this block as soon as the shutdown is requested."""
        self._is_interruptible = True
        try:
            if self.requested.is_set():
                raise ShutdownRequestedError
            yield
        finally:
            self._is_interruptible = False

    def _request(self, number: int, frame: FrameType | None) -> None:
        self.requested.set()
        if self._is_interruptible:
            self._is_interruptible = False
            raise ShutdownRequestedError

    def _watch_parent(self) -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_S)
        os._exit(1)  # the main thread hangs in the C code of a library
