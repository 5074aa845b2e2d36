"""The queue of uploaded files: the detection records themselves, in the store. Every accepted file is scored, or refused with an error.

A worker claims a record for a while and renews the claim as it proceeds. A worker that dies loses its claim, and the next worker starts
again. Workers on several machines may share a store if their clocks agree to a few seconds.

The web process writes the files to disk and the workers read them. Each upload has a folder ``<uploads>/<detection_id>`` with its file
and, once it is scored, its sprites. A file that is still arriving is in ``<uploads>/.incoming``.
"""

import secrets
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from realframe.store.detection_documents import Detection, DetectionRecord, Lane, Progress, State
from realframe.store.document_base import format_current_time
from realframe.store.repository import Query, Row, Store

CLAIM_S = 30.0
"""A claim that is not renewed for this long expires."""
_ORDER = ("priority", "detection_id")
_CANDIDATES = 8  # queued records per look-up: workers that look at the same time still find one each
MEDIA_NAME = "media"
"""The name of the uploaded file in the folder of its record."""
INCOMING_NAME = ".incoming"
"""The folder of files that are still arriving."""
_ORPHAN_CHUNK = 500  # folders whose records are looked up in one query
_ORPHAN_AGE_S = 24 * 3600.0


def create_detection_id() -> str:
    """Return an id for a record: 16 hex digits of the time in nanoseconds, then 16 random ones."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"


def count_unfinished(store: Store, lane: Lane) -> int:
    """Return how many files of a lane are queued or running."""
    return sum(count_in_state(store, lane, state) for state in ("queued", "running"))


def count_in_state(store: Store, lane: Lane, state: State) -> int:
    """Return how many files of a lane are in a state."""
    return store.count(DetectionRecord, {"state": state, "lane": lane})


def is_empty(store: Store) -> bool:
    """Return whether no file waits for a worker."""
    return store.count(DetectionRecord, {"state": "queued"}) == 0


def claim(store: Store, worker: str) -> DetectionRecord | None:
    """Claim the next record for a worker: by priority, then the oldest. Return None if nothing waits."""
    for record in _claimable(store):
        unchanged = {"state": record.state, "worker": record.worker, "claimed_until": record.claimed_until}
        changes: Row = {"state": "running", "worker": worker, "claimed_until": _claim_end()}
        if claimed := store.claim(DetectionRecord, record.key, unchanged, changes, "attempts"):
            return claimed
    return None


def renew_claim(store: Store, record: DetectionRecord, progress: Progress) -> bool:
    """Write the progress of a record and renew its claim; return False if the claim was lost or the record deleted."""
    changes = {"progress": progress.model_dump(mode="json"), "claimed_until": _claim_end()}
    return store.update(DetectionRecord, record.key, changes, _claimed_by_worker(record))


def release(store: Store, record: DetectionRecord, *, count_attempt: bool) -> bool:
    """Put a claimed record back into the queue; return False as ``renew_claim`` does.

    Args:
        store: the store of the record.
        record: the record as it was claimed.
        count_attempt: whether the attempt counts: it does if the worker failed on the record, and does not if the worker only stops.
    """
    changes: Row = {"state": "queued", "worker": "", "claimed_until": "", "progress": Progress(step="received").model_dump(mode="json")}
    return store.update(
        DetectionRecord, record.key, changes | {"attempts": record.attempts - (not count_attempt)}, _claimed_by_worker(record)
    )


def finish(store: Store, record: DetectionRecord, result: Detection, *, shadow: bool) -> bool:
    """Write the result of a record; return False if the claim was lost or the record deleted.

    Args:
        store: the store of the record.
        record: the record as it was claimed.
        result: the result of the detector.
        shadow: whether there is a challenger, which scores the file too.
    """
    changes = {
        "state": "done",
        "progress": Progress(step="done").model_dump(mode="json"),
        "claimed_until": "",
        "finished": format_current_time(),
        "result": result.model_dump(mode="json"),
        "verdict": result.verdict,
        "model": result.model,
        "shadow": "waiting" if shadow and result.verdict != "not scored" else "",
    }
    return store.update(DetectionRecord, record.key, changes, _claimed_by_worker(record))


def find_next_for_challenger(store: Store) -> DetectionRecord | None:
    """Return the oldest record that the challenger has yet to score, or None."""
    return next(iter(store.find_first(DetectionRecord, {"shadow": "waiting"}, ("detection_id",), 1)), None)


def finish_shadow(store: Store, record: DetectionRecord) -> bool:
    """Note that the challenger has scored a record, or never will; return False if another worker has noted it or the record is gone."""
    return store.update(DetectionRecord, record.key, {"shadow": "done"}, {"shadow": "waiting"})


def requeue_shadow(store: Store, record: DetectionRecord) -> None:
    """Let the challenger score a record again later."""
    store.update(DetectionRecord, record.key, {"shadow": "waiting"})


def _claimable(store: Store) -> Iterator[DetectionRecord]:
    """Yield the records that a worker may claim, the next first; both queries use an index of the store."""
    expired = [record for record in store.find(DetectionRecord, {"state": "running"}) if record.claimed_until < format_current_time()]
    queued = store.find_first(DetectionRecord, {"state": "queued"}, _ORDER, _CANDIDATES)
    yield from sorted([*expired, *queued], key=lambda record: (record.priority, record.detection_id))


def _claimed_by_worker(record: DetectionRecord) -> Query:
    return {"state": "running", "worker": record.worker, "attempts": record.attempts}


def _claim_end() -> str:
    return (datetime.now(UTC) + timedelta(seconds=CLAIM_S)).isoformat(timespec="milliseconds")


def remove_orphans(store: Store, uploads_dir: Path) -> None:
    """Delete what a killed process left: files at least a day old that have no record."""
    if not uploads_dir.exists():
        return
    paths = [*uploads_dir.iterdir(), *(uploads_dir / INCOMING_NAME).glob("*")]
    old = [path for path in paths if path.name != INCOMING_NAME and time.time() - path.stat().st_mtime > _ORPHAN_AGE_S]
    for start in range(0, len(old), _ORPHAN_CHUNK):
        chunk = old[start : start + _ORPHAN_CHUNK]
        record_ids = store.find_keys(DetectionRecord, {"_id": {"$in": [path.name for path in chunk]}})
        for path in chunk:
            if path.name not in record_ids:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
