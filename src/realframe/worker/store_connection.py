"""The metadata store of a process that runs for months: where it goes away, it is waited for and opened again."""

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from realframe.errors import MetadataError
from realframe.settings import Settings
from realframe.store.repository import Store, open_store

_AGAIN_S = 1.0
_log = logging.getLogger(__name__)

T = TypeVar("T")


class StoreConnection:
    """Opens the store when it is needed, and again where it failed. For one thread.

    Args:
        settings: of the checkout.
        told: set once the process is to leave: from then on nothing is waited for.
    """

    def __init__(self, settings: Settings, told: threading.Event) -> None:
        self._settings, self._told = settings, told
        self._stack = ExitStack()
        self._store: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def once(self, action: Callable[[Store], T]) -> T:
        """Do something with the store. Raises MetadataError; the next call opens it anew, and so starts the embedded server again."""
        try:
            if self._store is None:
                self._store = self._stack.enter_context(open_store(self._settings))
            return action(self._store)
        except MetadataError:
            self._close()
            raise

    def insist(self, action: Callable[[Store], T]) -> T:
        """Do something with the store, as often as it takes. Raises MetadataError only where the process is to leave."""
        last = ""
        while True:
            try:
                return self.once(action)
            except MetadataError as error:
                if str(error) != last:
                    _log.warning("waiting for the metadata store: %s", error)
                    last = str(error)
                if self._told.wait(_AGAIN_S):
                    raise

    def _close(self) -> None:
        self._store = None
        self._stack.close()
        self._stack = ExitStack()
