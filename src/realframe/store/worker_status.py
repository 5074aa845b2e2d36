"""Which workers live, and which version of the detector they serve: each says so every few seconds."""

from datetime import UTC, datetime, timedelta

from realframe.store.document_base import Document
from realframe.store.repository import Store

ALIVE_S = 15.0
"""A worker that has said nothing for so long is taken for dead."""
_FORGOTTEN_S = 3600.0


class WorkerBeat(Document):
    """What a worker says of itself.

    Attributes:
        worker: its name, of this process alone.
        model: the version that it answers with; empty where it answers nothing.
        problem: why it does not, or not with the champion, as a sentence; empty where all is well.
        record: the detection that it works at; empty where it waits.
        at: when, UTC, ISO 8601.
    """

    COLLECTION = "workers"
    KEY = "worker"

    worker: str
    model: str
    problem: str
    record: str
    at: str


def beat(store: Store, said: WorkerBeat) -> None:
    """Write what a worker says, in place of what it said before."""
    store.upsert([said])


def alive(store: Store) -> list[WorkerBeat]:
    """Return the workers that were heard of lately."""
    return [said for said in store.find(WorkerBeat) if said.at >= _before(ALIVE_S)]


def leave(store: Store, worker: str) -> None:
    """Forget a worker that leaves, and those that have died long ago."""
    dead = [said.worker for said in store.find(WorkerBeat) if said.at < _before(_FORGOTTEN_S)]
    store.delete(WorkerBeat, [worker, *dead])


def _before(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
