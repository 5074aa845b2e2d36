"""What the tests of the API hand in and answer with."""

import itertools
import time
from datetime import datetime
from typing import Any

from realframe.provenance.origin import Provenance
from realframe.statistics.conformal import UncertaintyBand
from realframe.store import upload_queue
from realframe.store.detection_documents import Detection, DetectionRecord, FileFacts, FrameScore, Moment, ProbabilityInterval, Tiles
from realframe.store.repository import Store

PASSWORD = "correct horse battery"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
_numbers = itertools.count()


def record(store: Store, owner: str = "ann", **fields: Any) -> DetectionRecord:
    """A file that was handed in, without its bytes."""
    created = datetime.fromisoformat(fields.pop("created", "2026-01-02T03:04:05.000+00:00"))
    usual = {
        "detection_id": f"{int(created.timestamp()) * 10**9:016x}{next(_numbers):016x}",
        "created": created.isoformat(timespec="milliseconds"),
        "owner": owner,
        "file": "clip.mp4",
        "bytes": 9,
    }
    made = DetectionRecord(**(usual | fields))
    store.insert(made)
    return made


def answer(**fields: Any) -> Detection:
    """An answer about a video of two frames."""
    facts = FileFacts(kind="video", container="mp4", codec="h264", width=64, height=48, fps=25, frames=50, duration_s=2, bytes=9)
    usual: dict[str, Any] = {
        "file": "clip.mp4",
        "sha256": "a" * 64,
        "facts": facts,
        "verdict": "ai-generated",
        "probability": 0.97,
        "interval": ProbabilityInterval(low=0.9, high=0.99),
        "score": 0.9,
        "band": UncertaintyBand(0.2, 0.8, 0.05),
        "threshold": 0.5,
        "frames_analyzed": 2,
        "frames": (FrameScore(time_s=0, score=0.8, attention=None), FrameScore(time_s=1, score=0.9, attention=None)),
        "moments": (Moment(start_s=0, end_s=1, peak_s=1, score=0.9),),
        "cautions": (),
        "provenance": Provenance(None, (), "The file says nothing of its origin."),
        "tiles": Tiles(size=160, columns=2, frame_indices=(0, 1)),
        "model": "3",
        "seconds": {"probing": 0.1, "decoding": 1.0, "scoring": 2.0, "explaining": 0.9},
    }
    return Detection(**(usual | fields))


def not_scored(code: str = "media.not-media") -> Detection:
    """An answer about a file that can't be used."""
    nothing = dict.fromkeys(("facts", "probability", "interval", "score", "provenance", "tiles"))
    return answer(**nothing, verdict="not scored", frames_analyzed=0, frames=(), moments=(), code=code, message="is no media")


def finish(store: Store, found: Detection | None = None) -> DetectionRecord:
    """Let a worker do the next file of the queue."""
    claimed = upload_queue.claim(store, "worker")
    assert claimed
    assert upload_queue.finish(store, claimed, found or answer(), shadow=False)
    done = store.get(DetectionRecord, claimed.key)
    assert done
    return done


def work(store: Store, files: int) -> None:
    """Let a worker do so many files as they come."""
    while store.count(DetectionRecord, {"state": "done"}) < files:
        if upload_queue.is_empty(store):
            time.sleep(0.02)
        else:
            finish(store)
