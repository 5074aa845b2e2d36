"""Decide whether an upload is admitted: the queue has a bounded length, and each user a bounded rate.

Both are checked before the body is read. A refusal says after how many seconds to retry.
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

from realframe.settings import Settings
from realframe.store import detection_records, upload_queue
from realframe.store.accounts import User
from realframe.store.detection_documents import Lane
from realframe.store.repository import Store
from realframe.web.request_errors import QueueFullError, RateLimitError

_MIN_RETRY_S, _MAX_RETRY_S = 1, 120
_SAMPLE_SIZE = 20
_DEFAULT_SECONDS_PER_FILE = 2.0
_REFRESH_S = 5.0
_FAILED_KEYS = RateLimitItemPerMinute(20, namespace="failed-keys")


class QueueCapacity:
    """Limit how many files may wait in each lane; uploads in progress count as well.

    Args:
        settings: the limits of the lanes.
    """

    def __init__(self, settings: Settings) -> None:
        self._limits: dict[Lane, int] = {"live": settings.queue_limit, "batch": settings.batch_limit}
        self._uploading: Counter[Lane] = Counter()
        self._file_seconds, self._measured_at = _DEFAULT_SECONDS_PER_FILE, float("-inf")

    @asynccontextmanager
    async def reserve(self, store: Store, lane: Lane) -> AsyncIterator[None]:
        """Reserve a place in a lane during an upload. Raises QueueFullError."""
        self._uploading[lane] += 1
        position = self._uploading[lane]  # of many uploads that start at once, the first ones are admitted
        try:
            length = position - 1 + await to_thread.run_sync(upload_queue.count_unfinished, store, lane)
            if length >= self._limits[lane]:
                raise await to_thread.run_sync(self._busy_error, store, length)
            yield
        finally:
            self._uploading[lane] -= 1

    def _busy_error(self, store: Store, length: int) -> QueueFullError:
        """Ask for a retry when half of the queue is done: the worker is still busy then, and there is space."""
        wait = min(max(round(self._seconds_per_file(store) * length / 2), _MIN_RETRY_S), _MAX_RETRY_S)
        return QueueFullError("queue", f"is full: {length} files wait", f"Retry in {wait} s.", wait)

    def _seconds_per_file(self, store: Store) -> float:
        if time.monotonic() - self._measured_at > _REFRESH_S:
            results = detection_records.list_recent_results(store, _SAMPLE_SIZE)
            total = sum(sum(result.seconds.values()) for result in results)
            self._file_seconds = total / len(results) if results else _DEFAULT_SECONDS_PER_FILE
            self._measured_at = time.monotonic()
        return self._file_seconds


class RateLimits:
    """Count the uploads per account and API key, and the invalid API keys per client address, over a moving minute of this process.

    Args:
        settings: how many uploads a minute are allowed.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._uploads = RateLimitItemPerMinute(settings.uploads_per_minute, namespace="uploads")

    def count_upload(self, request: Request, user: User) -> None:
        """Count an upload, and store the RateLimit headers in ``request.state.rate``. Raises RateLimitError."""
        allowed = self._limiter.hit(self._uploads, user.name, user.api_key)
        reset, remaining = self._limiter.get_window_stats(self._uploads, user.name, user.api_key)
        limit, wait = self._uploads.amount, max(1, round(reset - time.time()))
        request.state.rate = {"RateLimit-Limit": str(limit), "RateLimit-Remaining": str(remaining), "RateLimit-Reset": str(wait)}
        if not allowed:
            raise RateLimitError(
                user.api_key or user.name, f"has reached the limit of {limit} uploads a minute", f"Retry in {wait} s.", wait
            )

    def count_failed_key(self, address: str) -> None:
        """Count an invalid API key. Raises RateLimitError."""
        if not self._limiter.hit(_FAILED_KEYS, address):
            raise RateLimitError(address, "has sent too many invalid API keys", "Retry in a minute.", 60)
