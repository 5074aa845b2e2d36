"""Insert the records of uploads into the store, and finish them as a worker does."""

import time
from typing import Any

from realframe.store import upload_queue
from realframe.store.detection_documents import Detection, DetectionRecord, Tiles
from realframe.store.repository import Store
from tests.detection_factory import make_detection, make_record

PASSWORD = "correct horse battery"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100


def insert_record(store: Store, owner: str = "ann", **fields: Any) -> DetectionRecord:
    """Insert the record of a queued upload, without its file."""
    defaults = {"created": "2026-01-02T03:04:05.000+00:00", "file": "clip.mp4", "bytes": 9}
    record = make_record(None, owner, **(defaults | fields))
    store.insert(record)
    return record


def make_result(**fields: Any) -> Detection:
    """Return the result of a video of two frames."""
    tiles = Tiles(size=160, columns=2, frame_indices=(0, 1))
    return make_detection(**({"probability": 0.97, "frame_count": 2, "tiles": tiles} | fields))


def finish_next(store: Store, result: Detection | None = None) -> DetectionRecord:
    """Finish the next upload of the queue."""
    claimed = upload_queue.claim(store, "worker")
    assert claimed
    assert upload_queue.finish(store, claimed, result or make_result(), shadow=False)
    finished = store.get(DetectionRecord, claimed.key)
    assert finished
    return finished


def finish_uploads(store: Store, count: int) -> None:
    """Finish uploads as they arrive, until so many are done."""
    while store.count(DetectionRecord, {"state": "done"}) < count:
        if upload_queue.is_empty(store):
            time.sleep(0.02)
        else:
            finish_next(store)
