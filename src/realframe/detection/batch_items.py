"""Describe a file of a batch, and the result of scoring it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from realframe.detection.result import FRAMES, HEAT, DetectionResult, display_path
from realframe.progress import ProgressCallback, no_progress


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
        """Return the JPEG bytes of the frames and of the heat maps; None where the file has no sprites."""
        if self.folder is None or self.result.detection.tiles is None:
            return None
        return (self.folder / FRAMES).read_bytes(), (self.folder / HEAT).read_bytes()
