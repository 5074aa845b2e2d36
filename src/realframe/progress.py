"""Report the progress of a computation to its caller."""

from collections.abc import Callable

ProgressCallback = Callable[[str, int, int], None]
"""Called with the name of the step, the number of parts that are done and the number of all parts; both 0 for a step without parts."""


def no_progress(step: str, done: int, total: int) -> None:
    """Ignore the progress."""
