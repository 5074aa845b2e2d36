"""Report in a thread that the worker is alive and how far its file is, and renew its claim on the file."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from realframe.errors import MetadataError
from realframe.store import upload_queue, worker_status
from realframe.store.detection_documents import DetectionRecord, Progress
from realframe.store.document_base import format_current_time
from realframe.store.worker_status import WorkerStatus
from realframe.worker.model_manager import ModelManager
from realframe.worker.store_connection import StoreConnection

_PROGRESS_INTERVAL_S = 0.25
_HEARTBEAT_INTERVAL_S = 4.0


class ClaimLostError(BaseException):
    """The record was deleted, or another worker has claimed it. Not an ``Exception``, as it is no error of the file that is scored."""


class Claim:
    """The claim of this worker on a record.

    Args:
        record: as it was claimed.
    """

    def __init__(self, record: DetectionRecord) -> None:
        self.record = record
        self._progress = self._stored_progress = Progress(step="received")
        self._renewed = time.monotonic()
        self._is_lost = False

    def set_progress(self, step: str, done: int, total: int) -> None:
        """Set the progress of the file; a ``ProgressCallback``. Raises ClaimLostError."""
        self._progress = Progress.model_validate({"step": step, "count": done, "total": total})
        if self._is_lost:
            raise ClaimLostError

    def renew(self, connection: StoreConnection) -> None:
        """Store the progress and renew the claim, where the progress has changed or the claim is old. Raises MetadataError."""
        progress, present = self._progress, time.monotonic()
        if progress != self._stored_progress or present - self._renewed >= _HEARTBEAT_INTERVAL_S:
            self._is_lost = not connection.call(lambda store: upload_queue.renew_claim(store, self.record, progress))
            self._stored_progress, self._renewed = progress, present


class Heartbeat:
    """Stores the progress of the worker four times a second, where it has changed, and its status every four seconds.

    Args:
        connection: to the store, of this thread alone.
        models: the detectors.
        name: of the worker.
    """

    def __init__(self, connection: StoreConnection, models: ModelManager, name: str) -> None:
        self._connection, self._models, self.name = connection, models, name
        self._claim: Claim | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(2 * _HEARTBEAT_INTERVAL_S)
        with suppress(MetadataError):
            self._connection.call(lambda store: worker_status.remove_worker(store, self.name))

    @contextmanager
    def keep_claim(self, record: DetectionRecord) -> Iterator[Claim]:
        """Renew the claim on a record while this block runs."""
        self._claim = claim = Claim(record)
        try:
            yield claim
        finally:
            self._claim = None

    def _run(self) -> None:
        status_stored = float("-inf")
        while not self._stopped.wait(_PROGRESS_INTERVAL_S):
            claim = self._claim
            with suppress(MetadataError):  # the worker's own connection waits for the store and logs it
                if claim:
                    claim.renew(self._connection)
                if time.monotonic() - status_stored >= _HEARTBEAT_INTERVAL_S:
                    self._store_status(claim)
                    status_stored = time.monotonic()

    def _store_status(self, claim: Claim | None) -> None:
        champion = self._models.champion
        status = WorkerStatus(
            worker=self.name,
            model=champion.version if champion else "",
            problem=self._models.problem,
            detection_id=claim.record.key if claim else "",
            updated=format_current_time(),
        )
        self._connection.call(lambda store: worker_status.save_status(store, status))
