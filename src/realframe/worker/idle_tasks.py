"""Do the work that can wait while no upload is queued: score files with the challenger too, and remove files that are kept no longer."""

import logging
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout

from realframe.detection.batch import BatchDetector
from realframe.detection.result import BatchFile
from realframe.settings import Settings
from realframe.store import detection_records, upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.predictions import store_predictions
from realframe.store.repository import Store
from realframe.store.upload_queue import MEDIA_NAME, remove_orphans
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError
from realframe.worker.store_connection import StoreConnection

_CLEANUP_INTERVAL_S = 3600.0
_PAGE_SIZE = 100
_log = logging.getLogger(__name__)


class IdleTasks:
    """The tasks of an idle worker.

    Args:
        settings: where the files are, and how long they are kept.
        connection: to the store.
        models: the detectors.
        shutdown: tells when to stop.
    """

    def __init__(self, settings: Settings, connection: StoreConnection, models: ModelManager, shutdown: Shutdown) -> None:
        self._settings, self._connection, self._models, self._shutdown = settings, connection, models, shutdown
        self._last_cleanup = float("-inf")

    def run_next(self) -> bool:
        """Do the next piece of work; return False where there is none."""
        record = self._connection.call_with_retry(upload_queue.find_next_for_challenger)
        if record:
            return self._score_with_challenger(record)
        if time.monotonic() - self._last_cleanup < _CLEANUP_INTERVAL_S:
            return False
        return self._connection.call_with_retry(self._clean_up)

    def _score_with_challenger(self, record: DetectionRecord) -> bool:
        """Score a file once with the challenger, whatever comes of it; return False where the challenger is still being loaded."""
        challenger = self._models.request_challenger()
        if challenger is None and self._models.has_challenger:
            return False
        is_taken = self._connection.call_with_retry(lambda store: upload_queue.finish_shadow(store, record))
        if not is_taken or challenger is None or not record.has_files:
            return True
        file = BatchFile(record.file, self._settings.uploads_dir / record.key / MEDIA_NAME, log_name=record.key)
        try:
            with self._shutdown.interruptible():
                (item,) = BatchDetector(lambda: challenger).score_files([file])
            self._connection.call_with_retry(lambda store: store_predictions(store, [item.result]))
        except ShutdownRequestedError:
            self._connection.call_with_retry(lambda store: upload_queue.requeue_shadow(store, record))
        except Exception:  # a challenger waits for its review, so it may be of any quality
            _log.exception("the challenger failed", extra={"detection_id": record.key, "model": challenger.version})
        return True

    def _clean_up(self, store: Store) -> bool:
        """Remove old files until none is left or an upload is queued; return False where another worker of this machine does it."""
        self._last_cleanup = time.monotonic()
        try:
            with FileLock(self._settings.state_dir / "cleanup.lock", timeout=0):
                for _ in remove_expired_files(store, self._settings):
                    if self._shutdown.requested.is_set() or not upload_queue.is_empty(store):
                        self._last_cleanup = float("-inf")
                        return True
                remove_orphans(store, self._settings.uploads_dir)
        except Timeout:
            return False
        except OSError:  # such as a folder that another process removes at the same time; the next cleanup tries again
            _log.exception("the cleanup of uploaded files failed")
        return True


def remove_expired_files(store: Store, settings: Settings) -> Iterator[str]:
    """Remove the files older than ``settings.keep_days`` and yield the id of each record, which stays with its result."""
    if not settings.keep_days:
        return
    before = datetime.now(UTC) - timedelta(days=settings.keep_days)
    while page := detection_records.list_expired(store, before, _PAGE_SIZE):
        for record in page:
            shutil.rmtree(settings.uploads_dir / record.key, ignore_errors=True)
            detection_records.mark_files_deleted(store, record)
            yield record.key
