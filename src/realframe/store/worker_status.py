"""The status of the workers: each writes every few seconds that it is alive, and which version of the detector it serves."""

from datetime import UTC, datetime, timedelta

from realframe.store.document_base import Document
from realframe.store.repository import Store

ALIVE_S = 15.0
"""A worker whose status is older is taken for dead."""
_FORGOTTEN_S = 3600.0


class WorkerStatus(Document):
    """The status of one worker.

    Attributes:
        worker: name of the worker, unique to its process.
        model: the version that it serves; empty if it serves none.
        problem: why it serves no version, or another one than the champion, as a sentence; empty if all is well.
        detection_id: the detection that it works on; empty if it is idle.
        updated: when the status was written, UTC, ISO 8601.
    """

    COLLECTION = "workers"
    KEY = "worker"

    worker: str
    model: str
    problem: str
    detection_id: str
    updated: str


def save_status(store: Store, status: WorkerStatus) -> None:
    """Write the status of a worker in place of its earlier one."""
    store.upsert([status])


def list_alive(store: Store) -> list[WorkerStatus]:
    """Return the status of the workers that are alive."""
    return [status for status in store.find(WorkerStatus) if status.updated >= _time_before(ALIVE_S)]


def remove_worker(store: Store, worker: str) -> None:
    """Delete the status of a worker that stops, and of those that died long ago."""
    dead = [status.worker for status in store.find(WorkerStatus) if status.updated < _time_before(_FORGOTTEN_S)]
    store.delete(WorkerStatus, [worker, *dead])


def _time_before(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
