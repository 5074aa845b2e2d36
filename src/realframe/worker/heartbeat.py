"""What a worker says while it works: that it lives, how far its file has come, and that the file is still its own. In a thread."""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from realframe.errors import MetadataError
from realframe.store import upload_queue, worker_status
from realframe.store.detection_documents import DetectionRecord, Progress
from realframe.store.document_base import now
from realframe.store.worker_status import WorkerBeat
from realframe.worker.model_manager import ModelManager
from realframe.worker.store_connection import StoreConnection

_TICK_S = 0.25
_BEAT_S = 4.0
_LONGEST_S = 1800.0
_log = logging.getLogger(__name__)


class LostError(Exception):
    """The record was deleted, or is another worker's by now."""


class Claim:
    """A record that this worker has.

    Args:
        record: as it was claimed.
    """

    def __init__(self, record: DetectionRecord) -> None:
        self.record = record
        self._progress = self._told = Progress(step="received")
        self._began = self._renewed = time.monotonic()
        self._lost = False

    def report(self, progress: Progress) -> None:
        """Take note of how far it has come. Raises LostError."""
        self._progress = progress
        if self._lost:
            raise LostError

    def tell(self, door: StoreConnection) -> None:
        """Write it down, where it has changed or the claim needs it. Raises MetadataError."""
        progress, present = self._progress, time.monotonic()
        if progress != self._told or present - self._renewed >= _BEAT_S:
            self._lost = not door.once(lambda store: upload_queue.renew(store, self.record, progress))
            self._told, self._renewed = progress, present

    @property
    def hangs(self) -> bool:
        """It takes longer than any file may."""
        return time.monotonic() - self._began > _LONGEST_S


class Heartbeat:
    """Says four times a second how far the worker is, where that has changed, and every four seconds that it lives.

    Args:
        door: to the store, of this thread alone.
        warm: the detectors.
        name: of the worker.
    """

    def __init__(self, door: StoreConnection, warm: ModelManager, name: str) -> None:
        self._door, self._warm, self.name = door, warm, name
        self._held: Claim | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(2 * _BEAT_S)
        with suppress(MetadataError):
            self._door.once(lambda store: worker_status.leave(store, self.name))

    @contextmanager
    def holding(self, record: DetectionRecord) -> Iterator[Claim]:
        """Keep the claim on a record while this block runs."""
        self._held = held = Claim(record)
        try:
            yield held
        finally:
            self._held = None

    def _run(self) -> None:
        beaten = float("-inf")
        while not self._ended.wait(_TICK_S):
            held = self._held
            if held and held.hangs:
                _log.critical("hangs and is ended", extra={"detection_id": held.record.key})
                os._exit(1)
            with suppress(MetadataError):  # who needs the store waits for it, and says so
                if held:
                    held.tell(self._door)
                if time.monotonic() - beaten >= _BEAT_S:
                    self._beat(held)
                    beaten = time.monotonic()

    def _beat(self, held: Claim | None) -> None:
        champion = self._warm.champion
        said = WorkerBeat(
            worker=self.name,
            model=champion.version if champion else "",
            problem=self._warm.problem,
            record=held.record.key if held else "",
            at=now(),
        )
        self._door.once(lambda store: worker_status.beat(store, said))
