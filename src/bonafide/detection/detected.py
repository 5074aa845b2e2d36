"""What the detector has of a file on the way to its answer, and with it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonafide.detection.progress import Watch
from bonafide.errors import MediaError
from bonafide.media.frames import Frames
from bonafide.metadata.detections import Detection
from bonafide.provenance.provenance import Provenance

FRAMES, HEAT = "frames.jpg", "heat.jpg"
"""The sprites of an answer: the frames that were looked at, and the same with the evidence over them."""


@dataclass(frozen=True)
class Looked:
    """A file that was read and decoded.

    Attributes:
        path: of the file.
        name: what the answer calls it.
        frames: of the file, or why there are none.
        provenance: what the file says of its origin.
        watch: is told how it goes on.
    """

    path: Path
    name: str
    frames: Frames | MediaError
    provenance: Provenance | None
    watch: Watch


@dataclass(frozen=True)
class Detected:
    """What comes of one file.

    Attributes:
        detection: the answer.
        features: the mean pooled features of the frames that were looked at, float32 (width,), for storing; None where not scored.
        pictures: those frames as the model sees them, uint8 RGB (N, size, size, 3), one per ``detection.frames``; None where not scored,
            or where the answer was kept from before.
    """

    detection: Detection
    features: NDArray[np.float32] | None
    pictures: NDArray[np.uint8] | None

    def without_pictures(self) -> "Detected":
        """Return what takes little memory."""
        return Detected(self.detection, self.features, None)
