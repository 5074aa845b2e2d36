"""Claim the next upload, score it with the champion, and store the result."""

import logging
import shutil
from threading import Thread

from realframe.detection.batch import BatchDetector
from realframe.detection.crash_counter import RecordedAttempts
from realframe.detection.detector import Detector
from realframe.detection.result import BatchFile, BatchItem, DetectionResult
from realframe.errors import DiskFullError, MetadataError
from realframe.progress import ProgressCallback
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.predictions import store_predictions
from realframe.store.upload_queue import MEDIA_NAME
from realframe.webhooks import send_event
from realframe.worker.heartbeat import ClaimLostError, Heartbeat
from realframe.worker.idle_tasks import DISK_FULL_PAUSE_S, IdleTasks
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError
from realframe.worker.store_connection import StoreConnection
from realframe.worker.watchdog import Watchdog

_POLL_INTERVAL_S = 0.25
_log = logging.getLogger(__name__)


class WorkerLoop:
    """The work of one worker, one file at a time.

    Args:
        settings: where the files are.
        connection: to the store.
        models: the detectors.
        shutdown: tells when to stop.
        heartbeat: renews the claim on the current file.
        watchdog: limits the time of a file.
    """

    def __init__(
        self,
        settings: Settings,
        connection: StoreConnection,
        models: ModelManager,
        shutdown: Shutdown,
        heartbeat: Heartbeat,
        watchdog: Watchdog,
    ) -> None:
        self._settings, self._connection, self._models, self._shutdown = settings, connection, models, shutdown
        self._heartbeat, self._watchdog = heartbeat, watchdog
        self._idle_tasks = IdleTasks(settings, connection, models, shutdown, watchdog)

    def run(self) -> None:
        """Work until the shutdown is requested. Raises MetadataError where the store is away then."""
        while not self._shutdown.requested.is_set():
            if not self.run_next():
                self._shutdown.requested.wait(_POLL_INTERVAL_S)

    def run_next(self) -> bool:
        """Do the next piece of work; return False where there is none. Without a champion no file is claimed: the files wait for one."""
        detector = self._models.champion
        if detector is None:
            return self._idle_tasks.prepare_review()
        record = self._connection.call_with_retry(lambda store: upload_queue.claim(store, self._heartbeat.name))
        if record is None:
            return self._idle_tasks.run_next()
        self._process(record, detector)
        return True

    def _process(self, record: DetectionRecord, detector: Detector) -> None:
        facts = {"detection_id": record.key}
        try:
            with (
                self._watchdog.limit_time("the file", **facts),
                self._heartbeat.keep_claim(record) as claim,
                self._shutdown.interruptible(),
            ):
                item = self._score(record, detector, claim.set_progress)
            if item.failure:  # a defect must not stop the queue; after some attempts the file is given up
                self._release(record, count_attempt=True)
            else:
                self._finish(record, item.result)
        except MetadataError:  # the store is away during a shutdown
            raise
        except ClaimLostError:
            _log.info("the record is deleted or has another worker", extra=facts)
            self._remove_if_deleted(record)
        except ShutdownRequestedError:
            self._release(record, count_attempt=False)
        except DiskFullError as error:  # no fault of the file
            _log.error("no file can be scored: %s", error, extra=facts)
            self._release(record, count_attempt=False)
            self._shutdown.requested.wait(DISK_FULL_PAUSE_S)
        except Exception:  # an error of this machine
            _log.exception("file scoring failed", extra=facts)
            self._release(record, count_attempt=True)
        self._announce_batch(record)

    def _announce_batch(self, record: DetectionRecord) -> None:
        """Send an event where this was the last file of its batch that waited; it is sent again if more files follow."""
        if not record.batch or not self._settings.webhook_url:
            return
        files = self._connection.call_with_retry(lambda store: store.find_fields(DetectionRecord, ["state"], {"batch": record.batch}))
        if files and all(file["state"] == "done" for file in files):
            facts = {"batch": record.batch, "files": len(files)}
            Thread(target=send_event, args=("batch.done", facts, self._settings), daemon=True).start()  # scoring goes on meanwhile

    def _score(self, record: DetectionRecord, detector: Detector, on_progress: ProgressCallback) -> BatchItem:
        """Score a file with its sprites. Its result is never cached, because nothing may be left of an upload that is deleted."""
        folder = self._settings.uploads_dir / record.key
        file = BatchFile(record.file, folder / MEDIA_NAME, folder, on_progress, log_name=record.key)
        attempts = RecordedAttempts(record.attempts - 1)  # without the one that begins now
        batch = BatchDetector(lambda: detector, attempts, measures_stability=record.lane == "live")
        (item,) = batch.score_files([file], with_sprites=True)
        if batch.storage_error:
            _log.warning("the sprites cannot be written: %s", batch.storage_error, extra={"detection_id": record.key})
        return item

    def _finish(self, record: DetectionRecord, result: DetectionResult) -> None:
        shadow, detection = self._models.has_challenger, result.detection
        if not self._connection.call_with_retry(lambda store: upload_queue.finish(store, record, detection, shadow=shadow)):
            self._remove_if_deleted(record)
            return
        self._connection.call_with_retry(lambda store: store_predictions(store, [result]))
        seconds = round(sum(detection.seconds.values()), 2)
        facts = {"verdict": detection.verdict, "code": detection.code, "model": detection.model, "seconds": seconds}
        _log.info("file scored", extra={"detection_id": record.key} | facts)

    def _release(self, record: DetectionRecord, *, count_attempt: bool) -> None:
        if not self._connection.call_with_retry(lambda store: upload_queue.release(store, record, count_attempt=count_attempt)):
            self._remove_if_deleted(record)

    def _remove_if_deleted(self, record: DetectionRecord) -> None:
        """Remove the sprites that were written after the record was deleted."""
        if self._connection.call_with_retry(lambda store: store.get(DetectionRecord, record.key)) is None:
            shutil.rmtree(self._settings.uploads_dir / record.key, ignore_errors=True)
