"""How a file is called in an answer: names are written by strangers.

What the detector has of a file on the way to its answer, and with it.

From what the network makes of a file's frames to the answer.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realframe.detection.cautions import cautions_of
from realframe.detection.confidence import interval_of
from realframe.detection.loaded_model import LoadedModel
from realframe.detection.moments import moments_of
from realframe.detection.progress import ProgressWatch
from realframe.errors import MediaError
from realframe.evaluation.item_scores import ItemScore
from realframe.files import sha256_of
from realframe.media.file_frames import Frames
from realframe.media.probe import MediaFacts
from realframe.provenance.origin import Provenance
from realframe.store.detection_documents import Caution, Detection, FileFacts, FrameScore


def display_path(path: Path) -> str:
    """Return a path as text that can be printed and stored: what is no UTF-8 in it becomes a replacement character."""
    return os.fsencode(path).decode("utf-8", "replace")


FRAMES, HEAT = "frames.jpg", "heat.jpg"
"""The sprites of an answer: the frames that were looked at, and the same with the evidence over them."""


@dataclass(frozen=True)
class DecodedFile:
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
    watch: ProgressWatch


@dataclass(frozen=True)
class DetectionResult:
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

    def without_pictures(self) -> "DetectionResult":
        """Return what takes little memory."""
        return DetectionResult(self.detection, self.features, None)


_SEED_DIGITS = 16


def scored(detector: LoadedModel, looked: DecodedFile, frames: Frames, found: ItemScore) -> Detection:
    """Return the answer of a file that was scored.

    Args:
        detector: which one scored it.
        looked: the file.
        frames: its frames.
        found: what the network made of them.
    """
    probability = detector.rule.probability(found.score)
    verdict, timed = detector.rule.band.verdict(probability), _timed(frames, found)
    seed, drawn = int(frames.sha256[:_SEED_DIGITS], 16), detector.reference.temperatures
    return Detection(
        file=looked.name,
        sha256=frames.sha256,
        facts=_facts(frames.facts),
        verdict=verdict,
        probability=probability,
        interval=interval_of(probability, found.score, found.frames, detector.aggregate, drawn, seed),
        score=found.score,
        band=detector.rule.band,
        threshold=detector.rule.threshold,
        looked_at=len(timed),
        frames=timed,
        moments=moments_of(timed, verdict) if frames.facts.kind == "video" else (),
        cautions=tuple(_cautions(detector, frames.facts, found)),
        provenance=looked.provenance,
        tiles=None,
        model=detector.version,
        seconds=looked.watch.stop(),
    )


def unscored(detector: LoadedModel, looked: DecodedFile, error: MediaError) -> Detection:
    """Return the answer of a file that can't be used, and why; it calls the file by its name, wherever it lies."""
    return Detection(
        file=looked.name,
        sha256=_digest(looked.path),
        facts=None,
        verdict="not scored",
        probability=None,
        interval=None,
        score=None,
        band=detector.rule.band,
        threshold=detector.rule.threshold,
        looked_at=0,
        frames=(),
        moments=(),
        cautions=(),
        provenance=looked.provenance,
        tiles=None,
        model=detector.version,
        seconds=looked.watch.stop(),
        code=error.code,
        message=str(type(error)(looked.name, error.reason, error.hint)),
    )


def _facts(facts: MediaFacts) -> FileFacts:
    return FileFacts(**{name: getattr(facts, name) for name in FileFacts.model_fields})


def _timed(frames: Frames, found: ItemScore) -> tuple[FrameScore, ...]:
    """Return each frame that was looked at, with what the network says of it alone."""
    times = frames.times_s[found.positions]
    return tuple(
        FrameScore(time_s=float(time), score=score, attention=weight)
        for time, score, weight in zip(times, _plain(found.frames, len(times)), _plain(found.attention, len(times)), strict=True)
    )


def _plain(figures: NDArray[np.floating] | None, count: int) -> list[float | None]:
    return [None] * count if figures is None else [min(max(float(figure), 0.0), 1.0) for figure in figures]


def _cautions(detector: LoadedModel, facts: MediaFacts, found: ItemScore) -> Iterator[Caution]:
    yield from cautions_of(facts, len(found.positions), detector.params)
    far = detector.reference.domain and detector.reference.domain.caution(found.features)
    if far:
        yield far


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; nothing where it is no ordinary one or can't be read."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""
