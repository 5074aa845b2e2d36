"""What a worker does while nobody waits: the challenger's turn at files that were answered, and sweeping up what is not kept."""

import logging
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from filelock import FileLock, Timeout

from realframe.detection import stored_predictions
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store
from realframe.web.uploads import upload
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError
from realframe.worker.store_connection import StoreConnection

_SWEEP_S = 3600.0
_PAGE = 100
_log = logging.getLogger(__name__)


class IdleTasks:
    """The work that can wait.

    Args:
        settings: where the files lie, and how long they are kept.
        door: to the store.
        warm: the detectors.
        ending: says when to leave.
    """

    def __init__(self, settings: Settings, door: StoreConnection, warm: ModelManager, ending: Shutdown) -> None:
        self._settings, self._door, self._warm, self._ending = settings, door, warm, ending
        self._swept = float("-inf")

    def step(self) -> bool:
        """Do a piece of it; return False where there is nothing to do."""
        waiting = self._door.insist(lambda store: store.first(DetectionRecord, {"shadow": "waiting"}, ("detection_id",), 1))
        if waiting:
            return self._shadow(waiting[0])
        if time.monotonic() - self._swept < _SWEEP_S:
            return False
        return self._door.insist(self._sweep)

    def _shadow(self, record: DetectionRecord) -> bool:
        """Let the challenger score a file, once whatever comes of it; return False where it has to be loaded first."""
        challenger = self._warm.challenger()
        if challenger is None and self._warm.challenged:
            return False
        turn = {"shadow": "done"}, {"shadow": "waiting"}
        if not self._door.insist(lambda store: store.change(DetectionRecord, record.key, *turn)) or challenger is None or not record.media:
            return True
        media = self._settings.uploads_dir / record.key / upload.MEDIA
        try:
            with self._ending.interruptible():
                found = challenger.detect(media, record.file)
            self._door.insist(lambda store: stored_predictions.keep(store, [found]))
        except ShutdownRequestedError:
            self._door.insist(lambda store: store.change(DetectionRecord, record.key, {"shadow": "waiting"}))
        except Exception:  # the challenger may be the worst of models: it is why it waits for a review
            _log.exception("the challenger failed", extra={"detection_id": record.key, "model": challenger.version})
        return True

    def _sweep(self, store: Store) -> bool:
        """Sweep until it is done or a file waits; return False where another worker of this machine is at it."""
        self._swept = time.monotonic()
        try:
            with FileLock(self._settings.state / "sweep.lock", timeout=0):
                for _ in removed(store, self._settings):
                    if self._ending.told.is_set() or not upload_queue.idle(store):
                        self._swept = float("-inf")
                        return True
                upload.sweep(store, self._settings.uploads_dir)
        except Timeout:
            return False
        except OSError:  # such as a folder that somebody else removes; an hour later it is tried again
            _log.exception("sweeping failed")
        return True


def removed(store: Store, settings: Settings) -> Iterator[str]:
    """Remove the files that were kept for long enough, and yield the id of each record, which stays with its answer."""
    if not settings.keep_days:
        return
    before = (datetime.now(UTC) - timedelta(days=settings.keep_days)).isoformat(timespec="milliseconds")
    while some := store.page(DetectionRecord, {"state": "done", "media": True, "created": {"$lt": before}}, _PAGE):
        for record in some:
            shutil.rmtree(settings.uploads_dir / record.key, ignore_errors=True)
            store.change(DetectionRecord, record.key, {"media": False})
            yield record.key
