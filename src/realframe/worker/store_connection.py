"""Connect a long-running process to the metadata store: reconnect after a failure, and wait while the store is away."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from realframe.errors import MetadataError
from realframe.settings import Settings
from realframe.store.repository import Store, open_store

_RETRY_S = 1.0
_log = logging.getLogger(__name__)

T = TypeVar("T")


class StoreConnection:
    """A connection that opens at its first use and again after a failure. For one thread.

    Args:
        settings: of the checkout.
        shutdown_requested: set once the process is to stop; from then on no call waits.
    """

    def __init__(self, settings: Settings, shutdown_requested: threading.Event) -> None:
        self._settings, self._shutdown_requested = settings, shutdown_requested
        self._stack = ExitStack()
        self._store: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._close()

    def call(self, action: Callable[[Store], T]) -> T:
        """Call a function with the store. Raises MetadataError; the next call reconnects, which also restarts the embedded server."""
        try:
            if self._store is None:
                self._store = self._stack.enter_context(open_store(self._settings))
            return action(self._store)
        except MetadataError:
            self._close()
            raise

    def call_with_retry(self, action: Callable[[Store], T]) -> T:
        """Call a function with the store, again every second while the store is away. Raises MetadataError only during a shutdown."""
        last_message = ""
        while True:
            try:
                return self.call(action)
            except MetadataError as error:
                if str(error) != last_message:
                    _log.warning("waiting for the metadata store: %s", error)
                    last_message = str(error)
                if self._shutdown_requested.wait(_RETRY_S):
                    raise

    def _close(self) -> None:
        self._store = None
        self._stack.close()
        self._stack = ExitStack()
