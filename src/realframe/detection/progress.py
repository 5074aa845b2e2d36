"""How far a file has come, told as it goes, and the time that each step took."""

import time
from collections.abc import Callable

from realframe.store.detection_documents import Progress

ProgressCallback = Callable[[Progress], None]


def no_progress(progress: Progress) -> None:
    """Tell nobody."""


class ProgressWatch:
    """Hands on how far a file has come, and keeps the wall clock of each step.

    Args:
        report: who is told.
    """

    def __init__(self, report: ProgressCallback) -> None:
        self._report, self._step, self._began = report, "", 0.0
        self._seconds: dict[str, float] = {}

    def __call__(self, step: str, count: int = 0, of: int = 0) -> None:
        """Tell that a step (of ``metadata.detections.Step``) has begun, or how far it has come."""
        if step != self._step:
            self._end()
            self._step, self._began = step, time.monotonic()
        self._report(Progress.model_validate({"step": step, "count": count, "of": of}))

    def stop(self) -> dict[str, float]:
        """End the step that is running; return the seconds of each step so far."""
        self._end()
        self._step = ""
        return dict(self._seconds)

    def _end(self) -> None:
        if self._step:
            self._seconds[self._step] = self._seconds.get(self._step, 0.0) + time.monotonic() - self._began
