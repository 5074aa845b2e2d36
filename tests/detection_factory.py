"""Create detections and their records for tests, without a detector."""

import secrets
from datetime import datetime
from typing import Any

from realframe.provenance.origin import Provenance
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import (
    Detection,
    DetectionRecord,
    FileFacts,
    FrameScore,
    Moment,
    ProbabilityInterval,
    Tiles,
)

BAND = UncertaintyBand(0.3, 0.7, 0.1)
NO_PROVENANCE = Provenance(None, (), "The file says nothing of its origin.")


def create_facts(frames: int = 8, **fields: Any) -> FileFacts:
    """Return the facts of a clip of one sampled frame a second; ``frames`` is its length in seconds."""
    picture = {"kind": "video", "container": "mp4", "codec": "h264", "width": 64, "height": 48, "fps": 8}
    return FileFacts.model_validate(picture | {"frames": 8 * frames, "duration_s": frames, "bytes": 1000} | fields)


def create_detection(file: str = "clip.mp4", probability: float = 0.9, frames: int = 8, **fields: Any) -> Detection:
    """Return the detection of a clip of one frame a second, whose scores rise to the last one.

    Args:
        file: its name.
        probability: that it is AI-generated; the verdict, the score and the interval follow from it.
        frames: how many were scored.
        fields: of the detection, in place of the default ones.
    """
    scores = [(index + 1) / frames for index in range(frames)]
    defaults: dict[str, Any] = {
        "file": file,
        "sha256": "ab" * 32,
        "facts": create_facts(frames),
        "verdict": BAND.verdict(probability),
        "probability": probability,
        "interval": ProbabilityInterval(low=max(probability - 0.05, 0), high=min(probability + 0.05, 1)),
        "score": probability,
        "band": BAND,
        "threshold": 0.5,
        "frames_analyzed": frames,
        "frames": tuple(FrameScore(time_s=float(index), score=score, attention=None) for index, score in enumerate(scores)),
        "moments": (Moment(start_s=frames - 2, end_s=frames - 1, peak_s=frames - 1, score=1.0),) if frames > 1 else (),
        "cautions": (),
        "provenance": NO_PROVENANCE,
        "tiles": Tiles(size=32, columns=4, frame_indices=tuple(range(frames))),
        "model": "3",
        "seconds": {"probing": 0.1, "decoding": 1.0, "scoring": 2.0, "explaining": 0.9},
    }
    return Detection.model_validate(defaults | fields)


def create_unscored_detection(file: str = "clip.mp4", code: str = "media.not-media", **fields: Any) -> Detection:
    """Return the detection of a file that could not be scored."""
    missing: dict[str, Any] = dict.fromkeys(("facts", "probability", "interval", "score", "provenance", "tiles"))
    missing |= dict.fromkeys(("frames", "moments", "cautions"), ()) | {"frames_analyzed": 0, "verdict": "not scored"}
    return create_detection(**{"file": file, "code": code, "message": f"{file}: is not an image or a video."} | missing | fields)


def create_record(detection: Detection | None = None, owner: str = "ann", **fields: Any) -> DetectionRecord:
    """Return the record of a finished upload, or of a queued one where there is no detection; its id follows from ``created``."""
    created = fields.get("created", "2026-11-20T10:00:00.000+00:00")
    nanoseconds = int(datetime.fromisoformat(created).timestamp()) * 1_000_000_000
    defaults: dict[str, Any] = {
        "detection_id": f"{nanoseconds:016x}{secrets.token_hex(8)}",
        "owner": owner,
        "file": detection.file if detection else "waits.mp4",
        "bytes": 1000,
        "created": created,
        "state": "done" if detection else "queued",
        "result": detection,
        "verdict": detection.verdict if detection else "",
        "model": detection.model if detection else "",
    }
    return DetectionRecord.model_validate(defaults | fields)
