"""How often the store is asked for what a worker has done meanwhile: at first at once, then ever less, so that many may wait."""

from collections.abc import Iterator

_FIRST_S, _GROWTH, _LONGEST_S = 0.1, 1.15, 1.0


def pauses() -> Iterator[float]:
    """Yield the seconds until the next time, without end: a tenth of what has passed, about, and at most one."""
    pause = _FIRST_S
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST_S)
