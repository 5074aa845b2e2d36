"""Measure the seconds of each step of scoring a file, and report the progress."""

import time

from realframe.progress import ProgressCallback


class StepTimer:
    """Passes the progress of one file to a callback and measures the wall clock of each step.

    Args:
        on_progress: receives each step, with the count of parts that are done and of all parts.
    """

    def __init__(self, on_progress: ProgressCallback) -> None:
        self._on_progress, self._step, self._started = on_progress, "", 0.0
        self._seconds: dict[str, float] = {}

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """Report the progress of a step (one of ``store.detection_documents.Step``); a new step ends the one before."""
        if step != self._step:
            self._end_step()
            self._step, self._started = step, time.monotonic()
        self._on_progress(step, done, total)

    def stop(self) -> dict[str, float]:
        """End the current step; return the seconds of each step so far."""
        self._end_step()
        self._step = ""
        return dict(self._seconds)

    def _end_step(self) -> None:
        if self._step:
            self._seconds[self._step] = self._seconds.get(self._step, 0.0) + time.monotonic() - self._started
