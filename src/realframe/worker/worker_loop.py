"""What a worker does: it takes the next file, has the detector answer it, and writes the answer down."""

import logging
import shutil
from pathlib import Path

from realframe.detection import stored_predictions
from realframe.detection.detector import Detector
from realframe.detection.progress import ProgressCallback, ProgressWatch, no_progress
from realframe.detection.result import DecodedFile, DetectionResult
from realframe.errors import CrashesDetectorError, MetadataError
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.web.uploads.upload import MEDIA
from realframe.worker.heartbeat import Heartbeat, LostError
from realframe.worker.idle_tasks import IdleTasks
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError
from realframe.worker.store_connection import StoreConnection

ATTEMPTS = 3
"""A file at which a worker ended so often is not tried again."""
_LOOK_S = 0.25
_log = logging.getLogger(__name__)


class WorkerLoop:
    """The work of one worker, a file at a time.

    Args:
        settings: where the files lie.
        door: to the store.
        warm: the detectors.
        ending: says when to leave.
        pulse: keeps the claim on the file at hand.
    """

    def __init__(self, settings: Settings, door: StoreConnection, warm: ModelManager, ending: Shutdown, pulse: Heartbeat) -> None:
        self._settings, self._door, self._warm, self._ending, self._pulse = settings, door, warm, ending, pulse
        self._spare = IdleTasks(settings, door, warm, ending)

    def run(self) -> None:
        """Work until told to leave. Raises MetadataError where the store is away then."""
        while not self._ending.told.is_set():
            if not self.step():
                self._ending.told.wait(_LOOK_S)

    def step(self) -> bool:
        """Do the next thing; return False where there is none. Without a champion nothing is taken: the files wait for one."""
        detector = self._warm.champion
        if detector is None:
            return False
        record = self._door.insist(lambda store: upload_queue.claim(store, self._pulse.name))
        if record is None:
            return self._spare.step()
        self._serve(record, detector)
        return True

    def _serve(self, record: DetectionRecord, detector: Detector) -> None:
        said = {"detection_id": record.key}
        try:
            with self._pulse.holding(record) as held, self._ending.interruptible():
                found = self._detected(record, detector, held.report)
            self._finish(record, found)
        except MetadataError:  # it is away, and we leave
            raise
        except LostError:
            _log.info("deleted, or another worker's by now", extra=said)
            self._clear(record)
        except ShutdownRequestedError:
            self._give_back(record, begun=False)
        except Exception:  # a defect of ours must not stop the queue; after some tries the file is told to be at fault
            _log.exception("failed", extra=said)
            self._give_back(record, begun=True)

    def _detected(self, record: DetectionRecord, detector: Detector, report: ProgressCallback) -> DetectionResult:
        folder = self._settings.uploads_dir / record.key
        if record.attempts > ATTEMPTS:
            return detector.judge(_given_up(record, folder / MEDIA))
        found = detector.detect(folder / MEDIA, record.file, report)
        try:
            explained = detector.explain(found, folder, report)
        except OSError:  # such as a full disk: an answer without pictures is better than none
            _log.exception("its pictures can't be written", extra={"detection_id": record.key})
            explained = found.detection
        return DetectionResult(explained, found.features, None)

    def _finish(self, record: DetectionRecord, found: DetectionResult) -> None:
        shadow, answer = self._warm.challenged, found.detection
        if not self._door.insist(lambda store: upload_queue.finish(store, record, answer, shadow=shadow)):
            self._clear(record)
            return
        self._door.insist(lambda store: stored_predictions.keep(store, [found]))
        facts = {"verdict": answer.verdict, "code": answer.code, "model": answer.model, "seconds": round(sum(answer.seconds.values()), 2)}
        _log.info("answered", extra={"detection_id": record.key} | facts)

    def _give_back(self, record: DetectionRecord, *, begun: bool) -> None:
        if not self._door.insist(lambda store: upload_queue.give_back(store, record, begun=begun)):
            self._clear(record)

    def _clear(self, record: DetectionRecord) -> None:
        """Remove the pictures that came into the folder of a record after it was deleted."""
        if self._door.insist(lambda store: store.get(DetectionRecord, record.key)) is None:
            shutil.rmtree(self._settings.uploads_dir / record.key, ignore_errors=True)


def _given_up(record: DetectionRecord, media: Path) -> DecodedFile:
    reason = f"could not be scored: {ATTEMPTS} times the detector's process failed or ended at it"
    hint = "Export it again in a common format, such as JPEG, PNG or H.264 in MP4; if that does not help, tell whoever runs this service."
    return DecodedFile(media, record.file, CrashesDetectorError(record.file, reason, hint), None, ProgressWatch(no_progress))
