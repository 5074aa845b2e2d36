"""The bounded queue: who comes when it is full is told when to come back, before anything of a file is read.

How often one caller may do a thing, counted in this process over a moving minute.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from realframe.errors import BusyError, RateLimitError
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord, Lane
from realframe.store.repository import Store
from realframe.web.auth.authentication import Caller

_SOONEST, _LATEST = 1, 120
_RECENT = 20
_USUAL_S = 2.0
_KEPT_S = 5.0


class QueueCapacity:
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
            length = before - 1 + await to_thread.run_sync(upload_queue.waiting, store, lane)
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


_FAILED_KEYS = RateLimitItemPerMinute(20, namespace="failed-keys")


class RateLimits:
    """Counts uploads per account or key, and keys that are not valid per address.

    Args:
        settings: how many uploads a minute.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._uploads = RateLimitItemPerMinute(settings.uploads_per_minute, namespace="uploads")

    def upload(self, request: Request, caller: Caller) -> None:
        """Count an upload, and note on the request the headers that tell how many are left. Raises RateLimitError."""
        allowed = self._limiter.hit(self._uploads, caller.name, caller.key)
        reset, left = self._limiter.get_window_stats(self._uploads, caller.name, caller.key)
        limit, wait = self._uploads.amount, max(1, round(reset - time.time()))
        request.state.rate = {"RateLimit-Limit": str(limit), "RateLimit-Remaining": str(left), "RateLimit-Reset": str(wait)}
        if not allowed:
            reason = f"has sent {limit} files within a minute, as many as one may"
            raise RateLimitError(caller.key or caller.name, reason, f"Go on in {wait} s.", wait)

    def failed_key(self, address: str) -> None:
        """Count a key that is not valid. Raises RateLimitError."""
        if not self._limiter.hit(_FAILED_KEYS, address):
            raise RateLimitError(address, "has sent too many keys that are not valid", "Wait a minute.", 60)
