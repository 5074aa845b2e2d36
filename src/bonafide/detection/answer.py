"""From what the network makes of a file's frames to the answer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bonafide.detection.detected import Looked
from bonafide.detection.interval import interval_of
from bonafide.detection.loading import Loaded
from bonafide.detection.moments import moments_of
from bonafide.detection.quality import cautions_of
from bonafide.errors import MediaError
from bonafide.evaluation.scoring import Scored
from bonafide.files import sha256_of
from bonafide.media.frames import Frames
from bonafide.media.probe import MediaFacts
from bonafide.metadata.detections import Caution, Detection, FileFacts, FrameScore

_SEED_DIGITS = 16


def scored(detector: Loaded, looked: Looked, frames: Frames, found: Scored) -> Detection:
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


def unscored(detector: Loaded, looked: Looked, error: MediaError) -> Detection:
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
        message=str(type(error)(looked.name, error.reason, error.cure)),
    )


def _facts(facts: MediaFacts) -> FileFacts:
    return FileFacts(**{name: getattr(facts, name) for name in FileFacts.model_fields})


def _timed(frames: Frames, found: Scored) -> tuple[FrameScore, ...]:
    """Return each frame that was looked at, with what the network says of it alone."""
    times = frames.times_s[found.positions]
    return tuple(
        FrameScore(time_s=float(time), score=score, attention=weight)
        for time, score, weight in zip(times, _plain(found.frames, len(times)), _plain(found.attention, len(times)), strict=True)
    )


def _plain(figures: NDArray[np.floating] | None, count: int) -> list[float | None]:
    return [None] * count if figures is None else [min(max(float(figure), 0.0), 1.0) for figure in figures]


def _cautions(detector: Loaded, facts: MediaFacts, found: Scored) -> Iterator[Caution]:
    yield from cautions_of(facts, len(found.positions), detector.run)
    far = detector.reference.domain and detector.reference.domain.caution(found.features)
    if far:
        yield far


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; nothing where it is no ordinary one or can't be read."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""
