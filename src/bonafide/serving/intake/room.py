"""The bounded queue: who comes when it is full is told when to come back, before anything of a file is read."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread

from bonafide.errors import BusyError
from bonafide.metadata.detections import DetectionRecord, Lane
from bonafide.metadata.store import Store
from bonafide.serving import queue
from bonafide.settings import Settings

_SOONEST, _LATEST = 1, 120
_RECENT = 20
_USUAL_S = 2.0
_KEPT_S = 5.0


class Room:
    """How many files may wait; those on their way in are counted.

    Args:
        settings: the limits of the lanes.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits: dict[Lane, int] = {"live": settings.queue_limit, "batch": settings.batch_limit}
        self._arriving: Counter[Lane] = Counter()
        self._pace, self._measured = _USUAL_S, float("-inf")

    @asynccontextmanager
    async def place(self, store: Store, lane: Lane) -> AsyncIterator[None]:
        """Hold a place for a file that is on its way in. Raises BusyError."""
        self._arriving[lane] += 1
        before = self._arriving[lane]  # of a thousand that come at once the first find room
        try:
            length = before - 1 + await to_thread.run_sync(queue.waiting, store, lane)
            if length >= self._limits[lane]:
                raise await to_thread.run_sync(self._full, store, length)
            yield
        finally:
            self._arriving[lane] -= 1

    def _full(self, store: Store, length: int) -> BusyError:
        """Half of the queue is done by then: the worker has not run dry, and who comes back finds room."""
        wait = min(max(round(self._seconds_per_file(store) * length / 2), _SOONEST), _LATEST)
        return BusyError("queue", f"is full: {length} files wait", f"Send it again in {wait} s.", wait)

    def _seconds_per_file(self, store: Store) -> float:
        if time.monotonic() - self._measured > _KEPT_S:
            done = [record.answer for record in store.page(DetectionRecord, {"state": "done"}, _RECENT) if record.answer]
            self._pace = sum(sum(answer.seconds.values()) for answer in done) / len(done) if done else _USUAL_S
            self._measured = time.monotonic()
        return self._pace
