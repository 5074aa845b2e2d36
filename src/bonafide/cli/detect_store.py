"""What ``bonafide detect`` says is kept for ``bonafide drift``, some at a time; that it can't be kept takes nobody's answer away."""

from types import TracebackType
from typing import Self

from bonafide.detection.answering import Given
from bonafide.detection.detected import Detected
from bonafide.detection.predictions import keep
from bonafide.errors import MetadataError
from bonafide.metadata.store import open_store
from bonafide.settings import Settings

_TOGETHER = 100


class StoreSheet:
    """The metadata store.

    Args:
        settings: of this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: list[Detected] = []
        self.fault = ""
        """Why answers were not stored; empty where they were. After the first fault no further one is tried."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store()

    def add(self, given: Given) -> None:
        """Take an answer, without its pictures."""
        self._waiting.append(given.answer.without_pictures())
        if len(self._waiting) >= _TOGETHER:
            self._store()

    def _store(self) -> None:
        some, self._waiting = self._waiting, []
        if not some or self.fault:
            return
        try:
            with open_store(self._settings) as store:
                keep(store, some)
        except MetadataError as error:
            self.fault = str(error)
