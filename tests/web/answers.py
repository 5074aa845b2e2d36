"""Answers and records as tests want them, without a detector."""

import secrets
from datetime import datetime
from typing import Any

from realframe.provenance.origin import Provenance
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Detection, DetectionRecord, FileFacts, FrameScore, Moment, ProbabilityInterval, Tiles

BAND = UncertaintyBand(0.3, 0.7, 0.1)


def answer(file: str = "clip.mp4", probability: float = 0.9, frames: int = 8, **changed: Any) -> Detection:
    """An answer on a video of one frame a second, whose scores rise to the last one."""
    picture = {"kind": "video", "container": "mp4", "codec": "h264", "width": 64, "height": 48}
    facts = FileFacts.model_validate({**picture, "fps": 8, "frames": 8 * frames, "duration_s": frames, "bytes": 1000})
    times = [float(place) for place in range(frames)]
    told = Detection(
        file=file,
        sha256="ab" * 32,
        facts=facts,
        verdict=BAND.verdict(probability),
        probability=probability,
        interval=ProbabilityInterval(low=max(probability - 0.05, 0), high=min(probability + 0.05, 1)),
        score=probability,
        band=BAND,
        threshold=0.5,
        frames_analyzed=frames,
        frames=tuple(FrameScore(time_s=at, score=(at + 1) / frames, attention=None) for at in times),
        moments=(Moment(start_s=frames - 2, end_s=frames - 1, peak_s=frames - 1, score=1.0),) if frames > 1 else (),
        cautions=(),
        provenance=Provenance(None, (), "The file says nothing of its origin."),
        tiles=Tiles(size=32, columns=4, frame_indices=tuple(range(frames))),
        model="3",
        seconds={"probing": 0.01, "scoring": 0.2},
    )
    return told.model_copy(update=changed)


def record(told: Detection | None, owner: str = "ann", **changed: Any) -> DetectionRecord:
    """A record that is done, or one that waits where there is no answer."""
    created = changed.get("created", "2026-11-20T10:00:00.000+00:00")
    began = int(datetime.fromisoformat(created).timestamp()) * 1_000_000_000
    made = DetectionRecord(
        detection_id=f"{began:016x}{secrets.token_hex(8)}",
        owner=owner,
        file=told.file if told else "waits.mp4",
        bytes=1000,
        created=created,
        state="done" if told else "queued",
        result=told,
        verdict=told.verdict if told else "",
        model=told.model if told else "",
    )
    return made.model_copy(update=changed)
