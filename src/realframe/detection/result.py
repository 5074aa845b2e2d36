"""The result of scoring a file, and the decoded file on the way to it."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realframe.detection.step_timer import StepTimer
from realframe.errors import MediaError
from realframe.files import sha256_of
from realframe.media.file_frames import FileFrames
from realframe.provenance.origin import Provenance
from realframe.store.detection_documents import Detection

FRAMES, HEAT = "frames.jpg", "heat.jpg"
"""The sprites of a detection: the frames that were scored, and the same frames with their heat maps."""


@dataclass(frozen=True)
class DecodedFile:
    """A file that was read and decoded.

    Attributes:
        name: what the detection calls the file.
        sha256: of the bytes, hex; empty where they cannot be read.
        frames: of the file, or the error for which there are none.
        provenance: what the file states of its origin; None where it was not read.
        timer: reports the progress of the file.
    """

    name: str
    sha256: str
    frames: FileFrames | MediaError
    provenance: Provenance | None
    timer: StepTimer


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


def compute_digest(path: Path) -> str:
    """Return the hex SHA-256 of a file; empty where it is not a regular file or cannot be read."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""
