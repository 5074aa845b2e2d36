"""The time as documents carry it."""

from datetime import UTC, datetime


def now() -> str:
    """Return the present, UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
