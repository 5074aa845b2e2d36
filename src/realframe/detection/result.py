"""The files to score and their results: a file of a batch, the decoded file, the time of each step, and the result."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from realframe.errors import MediaError
from realframe.files import compute_sha256
from realframe.media.file_frames import FileFrames
from realframe.progress import ProgressCallback, no_progress
from realframe.provenance.origin import Provenance
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, Detection


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


@dataclass(frozen=True)
class DecodedFile:
    """A file that was read and decoded.

    Attributes:
        name: what the detection calls the file.
        sha256: of the bytes, hex; empty where they cannot be read.
        frames: of the file, or the error for which there are none.
        provenance: what the file states of its origin; None where it was not read.
        timer: reports the progress of the file.
        views: of an image whose stability is measured: the pictures of ``detection.stability``, by their names.
    """

    name: str
    sha256: str
    frames: FileFrames | MediaError
    provenance: Provenance | None
    timer: StepTimer
    views: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)


@dataclass(frozen=True)
class DetectionResult:
    """The result of one file.

    Attributes:
        detection: the verdict, or the reason why there is none.
        features: mean pooled features of the scored frames, float32 (width,), for storing; None where not scored.
        pictures: the scored frames as the model sees them, uint8 RGB (N, size, size, 3), one per ``detection.frames``; None where not
            scored, or where the result comes from the cache.
    """

    detection: Detection
    features: NDArray[np.float32] | None
    pictures: NDArray[np.uint8] | None

    def without_pictures(self) -> "DetectionResult":
        """Return a copy that takes little memory."""
        return replace(self, pictures=None)


def display_path(path: Path) -> str:
    """Return a path as text that can be printed and stored: bytes that are not UTF-8 become replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")


def compute_sha256_or_empty(path: Path) -> str:
    """Return the hex SHA-256 of a file; empty where it is not a regular file or cannot be read."""
    try:
        return compute_sha256(path) if path.is_file() else ""
    except OSError:
        return ""


@dataclass(frozen=True)
class RemoteFile:
    """A file that has to be fetched.

    Attributes:
        key: identifies the file and its content.
        fetch: opens a local copy of at most the given number of bytes, which is removed when the context ends. Raises MediaError.
    """

    key: str
    fetch: Callable[[int], AbstractContextManager[Path]]


@dataclass(frozen=True)
class BatchFile:
    """A file to score.

    Attributes:
        name: what the detection calls the file.
        source: its path, or where to fetch it from.
        folder: for its sprites; None for the folder of its cached result.
        on_progress: receives the progress.
        log_name: what the log calls the file; the name where it is empty.
    """

    name: str
    source: Path | RemoteFile
    folder: Path | None = None
    on_progress: ProgressCallback = no_progress
    log_name: str = ""

    @classmethod
    def from_path(cls, path: Path) -> Self:
        """Return the file at a path, named after its path."""
        return cls(display_path(path), path)


@dataclass(frozen=True)
class BatchItem:
    """The result of one file of a batch.

    Attributes:
        file: the file.
        result: its result.
        is_cached: the result was computed before.
        folder: of its sprites; None where there can be none.
        failure: the unexpected error, a defect of a library or of this program, at which the attempt failed; another may succeed.
    """

    file: BatchFile
    result: DetectionResult
    is_cached: bool = False
    folder: Path | None = None
    failure: Exception | None = None

    def without_pictures(self) -> "BatchItem":
        """Return a copy that takes little memory."""
        return replace(self, result=self.result.without_pictures())

    def read_sprites(self) -> tuple[bytes, bytes] | None:
        """Return the JPEG bytes of the frames and of the heatmaps; None where the file has no sprites."""
        if self.folder is None or self.result.detection.tiles is None:
            return None
        return (self.folder / FRAMES_SPRITE).read_bytes(), (self.folder / HEATMAPS_SPRITE).read_bytes()
