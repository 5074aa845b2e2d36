"""The queue of files that were handed in: the records themselves, in the store. What was accepted is scored, or told why not.

A worker claims a record for a while and renews the claim as it goes on; one that dies loses it, and the next worker begins anew. Several
workers on several machines may share a store.
"""

import secrets
import time
from datetime import UTC, datetime, timedelta

from bonafide.metadata.clock import now
from bonafide.metadata.detections import Detection, DetectionRecord, Lane, Progress
from bonafide.metadata.store import Store, Where

CLAIM_S = 30.0
"""A claim that was not renewed for so long is another worker's."""


def new_id() -> str:
    """Return an id for a record: 16 hex digits of the time in nanoseconds, then 16 random ones."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def waiting(store: Store, lane: Lane) -> int:
    """Return how many files of a lane are not done yet."""
    return store.count(DetectionRecord, {"lane": lane, "state": {"$in": ["queued", "running"]}})


def claim(store: Store, worker: str) -> DetectionRecord | None:
    """Return the next record for a worker, live ones first, then the oldest; None where nothing waits."""
    free: Where = {"$or": [{"state": "queued"}, {"state": "running", "claimed_until": {"$lt": now()}}]}
    changes = {"state": "running", "worker": worker, "claimed_until": _until()}
    return store.claim(DetectionRecord, free, changes, "attempts", ("rank", "detection_id"))


def renew(store: Store, record: DetectionRecord, progress: Progress) -> bool:
    """Say how far a record has come, and keep the claim; return False where the claim was lost or the record deleted."""
    changes = {"progress": progress.model_dump(mode="json"), "claimed_until": _until()}
    return store.change(DetectionRecord, record.key, changes, _mine(record))


def finish(store: Store, record: DetectionRecord, answer: Detection) -> bool:
    """Write the answer; return False where the claim was lost or the record deleted."""
    changes = {
        "state": "done",
        "progress": Progress(step="done").model_dump(mode="json"),
        "claimed_until": "",
        "finished": now(),
        "answer": answer.model_dump(mode="json"),
        "verdict": answer.verdict,
        "model": answer.model,
        "shadow": "waiting" if answer.verdict != "not scored" else "",
    }
    return store.change(DetectionRecord, record.key, changes, _mine(record))


def _mine(record: DetectionRecord) -> Where:
    return {"state": "running", "worker": record.worker, "attempts": record.attempts}


def _until() -> str:
    return (datetime.now(UTC) + timedelta(seconds=CLAIM_S)).isoformat(timespec="milliseconds")
