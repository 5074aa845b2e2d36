"""How often one caller may do a thing, counted in this process over a moving minute."""

import time

from fastapi import Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from bonafide.errors import TooOftenError
from bonafide.serving.access.callers import Caller
from bonafide.settings import Settings

_FAILED_KEYS = RateLimitItemPerMinute(20, namespace="failed-keys")


class Pace:
    """Counts uploads per account or key, and keys that are not valid per address.

    Args:
        settings: how many uploads a minute.
    """

    def __init__(self, settings: Settings) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._uploads = RateLimitItemPerMinute(settings.uploads_per_minute, namespace="uploads")

    def upload(self, request: Request, caller: Caller) -> None:
        """Count an upload, and note on the request the headers that tell how many are left. Raises TooOftenError."""
        allowed = self._limiter.hit(self._uploads, caller.name, caller.key)
        reset, left = self._limiter.get_window_stats(self._uploads, caller.name, caller.key)
        limit, wait = self._uploads.amount, max(1, round(reset - time.time()))
        request.state.rate = {"RateLimit-Limit": str(limit), "RateLimit-Remaining": str(left), "RateLimit-Reset": str(wait)}
        if not allowed:
            reason = f"has sent {limit} files within a minute, as many as one may"
            raise TooOftenError(caller.key or caller.name, reason, f"Go on in {wait} s.", wait)

    def failed_key(self, address: str) -> None:
        """Count a key that is not valid. Raises TooOftenError."""
        if not self._limiter.hit(_FAILED_KEYS, address):
            raise TooOftenError(address, "has sent too many keys that are not valid", "Wait a minute.", 60)
