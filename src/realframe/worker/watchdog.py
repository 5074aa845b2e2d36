"""End a worker whose work is stuck, in whatever code, so that it is started again and its file is tried again or given up."""

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_POLL_INTERVAL_S = 1.0
_STDERR = 2
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Task:
    """A piece of work, such as ``scoring``; ``facts`` are logged with it."""

    name: str
    facts: dict[str, str]
    deadline: float


class Watchdog:
    """Ends this process with status 1 as soon as a piece of work takes too long. Nothing else stops a library that hangs in C code.

    A thread checks the deadlines; it waits for nothing else, such as the store. Code that hangs while it holds Python's global lock stops
    that thread too. For this case ``faulthandler`` ends the process from outside of Python, unless the thread renews its time.

    Args:
        limit_s: seconds that one piece of work may take.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._tasks: dict[int, _Task] = {}  # by thread
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    @contextmanager
    def limit_time(self, name: str, **facts: str) -> Iterator[None]:
        """End the process if this block takes too long; not to be nested."""
        thread = threading.get_ident()
        self._tasks[thread] = _Task(name, facts, time.monotonic() + self._limit_s)
        try:
            yield
        finally:
            del self._tasks[thread]

    def _run(self) -> None:
        while True:
            faulthandler.dump_traceback_later(self._limit_s + _POLL_INTERVAL_S, exit=True, file=_STDERR)
            if self._stopped.wait(min(_POLL_INTERVAL_S, self._limit_s / 4)):
                return
            for task in tuple(self._tasks.values()):
                if time.monotonic() > task.deadline:
                    _log.critical("%s takes more than %g s; the worker ends", task.name, self._limit_s, extra=task.facts)
                    faulthandler.dump_traceback(file=_STDERR)
                    os._exit(1)
