"""The queue of files that were handed in: the records themselves, in the store. What was accepted is scored, or told why not.

A worker claims a record for a while and renews the claim as it goes on; one that dies loses it, and the next worker begins anew. Several
workers on several machines may share a store, if their clocks agree to some seconds.
"""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from realframe.store.detection_documents import Detection, DetectionRecord, Lane, Progress
from realframe.store.document_base import now
from realframe.store.repository import Row, Store, Where

CLAIM_S = 30.0
"""A claim that was not renewed for so long is another worker's."""
_ORDER = ("rank", "detection_id")
_HEADS = 8  # of the queue that one look brings: where several workers look at once, each still finds one


def new_id() -> str:
    """Return an id for a record: 16 hex digits of the time in nanoseconds, then 16 random ones."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def waiting(store: Store, lane: Lane) -> int:
    """Return how many files of a lane are not done yet."""
    return sum(store.count(DetectionRecord, {"state": state, "lane": lane}) for state in ("queued", "running"))


def idle(store: Store) -> bool:
    """Say whether no file waits for a worker."""
    return store.count(DetectionRecord, {"state": "queued"}) == 0


def claim(store: Store, worker: str) -> DetectionRecord | None:
    """Return the next record for a worker, live ones first, then the oldest; None where nothing waits."""
    for record in _free(store):
        as_found = {"state": record.state, "worker": record.worker, "claimed_until": record.claimed_until}
        changes: Row = {"state": "running", "worker": worker, "claimed_until": _until()}
        if claimed := store.claim(DetectionRecord, record.key, as_found, changes, "attempts"):
            return claimed
    return None


def renew(store: Store, record: DetectionRecord, progress: Progress) -> bool:
    """Say how far a record has come, and keep the claim; return False where the claim was lost or the record deleted."""
    changes = {"progress": progress.model_dump(mode="json"), "claimed_until": _until()}
    return store.change(DetectionRecord, record.key, changes, _mine(record))


def give_back(store: Store, record: DetectionRecord, *, begun: bool) -> bool:
    """Put a record back whose worker does not go on with it; return False as ``renew`` does.

    Args:
        store: where the record is.
        record: as it was claimed.
        begun: the attempt counts, because the worker failed at it and does not just leave.
    """
    changes: Row = {"state": "queued", "worker": "", "claimed_until": "", "progress": Progress(step="received").model_dump(mode="json")}
    return store.change(DetectionRecord, record.key, changes | {"attempts": record.attempts - (not begun)}, _mine(record))


def finish(store: Store, record: DetectionRecord, answer: Detection, *, shadow: bool) -> bool:
    """Write the answer; return False where the claim was lost or the record deleted.

    Args:
        store: where the record is.
        record: as it was claimed.
        answer: of the detector.
        shadow: there is a challenger, which is to score the file too.
    """
    changes = {
        "state": "done",
        "progress": Progress(step="done").model_dump(mode="json"),
        "claimed_until": "",
        "finished": now(),
        "answer": answer.model_dump(mode="json"),
        "verdict": answer.verdict,
        "model": answer.model,
        "shadow": "waiting" if shadow and answer.verdict != "not scored" else "",
    }
    return store.change(DetectionRecord, record.key, changes, _mine(record))


def _free(store: Store) -> Iterator[DetectionRecord]:
    """Return the records that a worker may claim, the next first; each look is one that the store's indexes answer."""
    late = [record for record in store.find(DetectionRecord, {"state": "running"}) if record.claimed_until < now()]
    queued = store.first(DetectionRecord, {"state": "queued"}, _ORDER, _HEADS)
    yield from sorted([*late, *queued], key=lambda record: (record.rank, record.detection_id))


def _mine(record: DetectionRecord) -> Where:
    return {"state": "running", "worker": record.worker, "attempts": record.attempts}


def _until() -> str:
    return (datetime.now(UTC) + timedelta(seconds=CLAIM_S)).isoformat(timespec="milliseconds")
