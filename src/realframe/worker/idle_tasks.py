"""Do the work that can wait while no upload is queued.

Score files with the challenger too, record changes of the alias ``champion`` that were made by hand, compute the gate's result of the
challenger, and remove files that are kept no longer.
"""

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout

from realframe.detection.batch import BatchDetector
from realframe.detection.crash_counter import MAX_ATTEMPTS, CrashCounter
from realframe.detection.detector import Detector
from realframe.detection.result import BatchFile
from realframe.errors import DiskFullError
from realframe.governance import gate, reconcile
from realframe.governance.gate_results import GateInputs
from realframe.governance.paired_predictions import VersionScorer
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER
from realframe.settings import Settings
from realframe.store import detection_records, upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.predictions import store_predictions
from realframe.store.repository import Store
from realframe.store.upload_queue import MEDIA_NAME, remove_orphans
from realframe.store.user_documents import GateRecord
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError
from realframe.worker.store_connection import StoreConnection
from realframe.worker.watchdog import Watchdog

_CLEANUP_INTERVAL_S, _REVIEW_INTERVAL_S = 3600.0, 15.0
_PAGE_SIZE = 100
DISK_FULL_PAUSE_S = 30.0
"""Before the next attempt at a file that could not be scored because a disk is full."""
_log = logging.getLogger(__name__)


class _UploadQueuedError(Exception):
    """An upload comes before the work that can wait."""


class IdleTasks:
    """The tasks of an idle worker.

    Args:
        settings: where the files are, and how long they are kept.
        connection: to the store.
        models: the detectors.
        shutdown: tells when to stop.
        watchdog: limits the time of a file.
    """

    def __init__(
        self, settings: Settings, connection: StoreConnection, models: ModelManager, shutdown: Shutdown, watchdog: Watchdog
    ) -> None:
        self._settings, self._connection, self._models = settings, connection, models
        self._shutdown, self._watchdog = shutdown, watchdog
        self._last_cleanup = self._last_review = float("-inf")
        self._review_problem = ""
        self._gate_attempts = CrashCounter(settings.cache_dir / "gate-attempts")

    def run_next(self) -> bool:
        """Do the next piece of work; return False where there is none."""
        record = self._connection.call_with_retry(upload_queue.find_next_for_challenger)
        if record:
            return self._score_with_challenger(record)
        if self.prepare_review():
            return True
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
            with self._watchdog.limit_time("the challenger's file", detection_id=record.key), self._shutdown.interruptible():
                batch = BatchDetector(lambda: challenger, measures_stability=record.lane == "live")  # as the champion did
                (item,) = batch.score_files([file])
            self._connection.call_with_retry(lambda store: store_predictions(store, [item.result]))
        except ShutdownRequestedError:
            self._connection.call_with_retry(lambda store: upload_queue.requeue_shadow(store, record))
        except DiskFullError as error:  # no fault of the challenger
            _log.error("the challenger cannot score: %s", error, extra={"detection_id": record.key})
            self._connection.call_with_retry(lambda store: upload_queue.requeue_shadow(store, record))
            self._shutdown.requested.wait(DISK_FULL_PAUSE_S)
        except Exception:  # a challenger waits for its review, so it may be of any quality
            _log.exception("the challenger failed", extra={"detection_id": record.key, "model": challenger.version})
        return True

    def prepare_review(self) -> bool:
        """Bring the ledger and the challenger's gate result up to date, every few seconds; return whether a result was computed."""
        if time.monotonic() - self._last_review < _REVIEW_INTERVAL_S:
            return False
        self._last_review = time.monotonic()
        try:
            is_computed = self._connection.call(self._compute_gate_result)
            self._review_problem = ""
            return is_computed
        except ShutdownRequestedError:
            return False
        except Exception as error:  # whatever a tracking server that is away may raise, or a defect; scoring must go on
            if str(error) != self._review_problem:
                _log.warning("the review cannot be prepared: %s", error, exc_info=True)
            self._review_problem = str(error)
            return False

    def _compute_gate_result(self, store: Store) -> bool:
        reconcile.detect_manual_changes(store)
        challenger = model_registry.find_by_alias(CHALLENGER)
        if challenger is None:
            return False
        digest = GateInputs.load(challenger.version, store).digest
        attempts = self._gate_attempts.get(digest)
        if store.get(GateRecord, digest) or attempts >= MAX_ATTEMPTS:
            return False
        try:
            with FileLock(self._settings.state_dir / "gate.lock", timeout=0), ExitStack() as item_limit:
                self._gate_attempts.set(digest, attempts + 1)
                self._check_gate(challenger.version, store, item_limit)
        except Timeout:  # another worker of this machine computes it
            return False
        except (_UploadQueuedError, ShutdownRequestedError) as error:
            self._gate_attempts.set(digest, attempts)
            if isinstance(error, ShutdownRequestedError):
                raise
            self._last_review = float("-inf")
            return True
        self._gate_attempts.set(digest, 0)
        _log.info("the gate of version %s is computed", challenger.version)
        return True

    def _check_gate(self, version: int, store: Store, item_limit: ExitStack) -> None:
        """Compute a gate result, until an upload is queued or the shutdown is requested; each scored item has its own time limit."""

        def start_item(step: str, done: int, total: int) -> None:
            if self._models.champion and not upload_queue.is_empty(store):
                raise _UploadQueuedError
            item_limit.close()
            item_limit.enter_context(self._watchdog.limit_time("an item of the gate"))

        item_limit.enter_context(self._watchdog.limit_time("the gate"))
        with self._shutdown.interruptible():
            gate.check_gate(version, store, VersionScorer(self._load_detector, start_item))

    def _load_detector(self, version: int) -> Detector:
        champion = self._models.champion
        return champion if champion and champion.version == str(version) else Detector.load(str(version))

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
