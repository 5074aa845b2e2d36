"""Make detections and their records for tests, without a detector."""

import itertools
from datetime import datetime
from typing import Any

from realframe.provenance.origin import Credentials, FileCheck, Provenance, Trace
from realframe.provenance.origin_reader import ORIGIN_CHECKS
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import (
    Abstention,
    Caution,
    Detection,
    DetectionRecord,
    FileFacts,
    FrameScore,
    Moment,
    ProbabilityInterval,
    Tiles,
)

BAND = UncertaintyBand(0.3, 0.7, 0.1)
NO_ORIGIN = Provenance(None, (), "The file says nothing of its origin.", tuple(FileCheck(name, "not-found") for name in ORIGIN_CHECKS))
SIGNED_ORIGIN = Provenance(
    credentials=Credentials("valid", "ai-generated", "CN=<b>Maker</b>", "Gen 2", "2026-01-02T03:04:05Z", ("untrusted",)),
    traces=(Trace('PNG text "parameters"', "ai-generated", "<script>alert(1)</script>", "Stable Diffusion"),),
    sentence="It says that it was made by Gen 2.",
    checks=tuple(FileCheck(name, "found") for name in ORIGIN_CHECKS),
)
NOT_JUDGED = Abstention(code="low-roc-auc", reason="This detector gives no verdict on such files: it was wrong too often on new sources.")
CLIP_FACTS = FileFacts(
    kind="video", container="mp4", codec="h264", width=640, height=360, fps=25, frames=250, duration_s=10, bytes=1_000_000
)
PHOTO_FACTS = CLIP_FACTS.model_copy(update={"kind": "image", "container": "jpeg", "codec": "jpeg", "fps": 0, "frames": 1, "duration_s": 0})
_numbers = itertools.count()


def make_detection(file: str = "clip.mp4", probability: float = 0.9, frame_count: int = 8, **fields: Any) -> Detection:
    """Return the detection of a video of one frame a second, whose scores rise to the last one.

    Args:
        file: its name.
        probability: that it is AI-generated; the verdict, the score and the interval follow from it.
        frame_count: frames that were scored.
        fields: of the detection, which replace the default ones.
    """
    picture = {"kind": "video", "container": "mp4", "codec": "h264", "width": 64, "height": 48}
    length = {"fps": 8, "frames": 8 * frame_count, "duration_s": frame_count, "bytes": 1000}
    scores = [(index + 1) / frame_count for index in range(frame_count)]
    last = frame_count - 1
    defaults: dict[str, Any] = {
        "file": file,
        "sha256": "ab" * 32,
        "facts": FileFacts.model_validate(picture | length),
        "verdict": BAND.verdict(probability),
        "probability": probability,
        "interval": ProbabilityInterval(low=max(probability - 0.05, 0), high=min(probability + 0.05, 1)),
        "score": probability,
        "band": BAND,
        "threshold": 0.5,
        "frames_analyzed": frame_count,
        "frames": tuple(FrameScore(time_s=float(index), score=score, attention=None) for index, score in enumerate(scores)),
        "moments": (Moment(start_s=last - 1, end_s=last, peak_s=last, score=1.0),) if frame_count > 1 else (),
        "cautions": (),
        "provenance": NO_ORIGIN,
        "tiles": Tiles(size=32, columns=4, frame_indices=tuple(range(frame_count))),
        "model": "3",
        "seconds": {"probing": 0.1, "decoding": 1.0, "scoring": 2.0, "explaining": 0.9},
        "damage": FileCheck("damage", "not-found"),
    }
    return Detection.model_validate(defaults | fields)


def make_signed_detection(**fields: Any) -> Detection:
    """Return the detection of a ten-second video with a caution and content credentials that say that it is AI-generated."""
    scores = (0.2, 0.9, 0.95, 0.4, 0.3)
    defaults: dict[str, Any] = {
        "facts": CLIP_FACTS,
        "verdict": "ai-generated",
        "interval": ProbabilityInterval(low=0.8, high=0.96),
        "score": 0.8,
        "frames_analyzed": len(scores),
        "frames": tuple(FrameScore(time_s=2 * index, score=score, attention=None) for index, score in enumerate(scores)),
        "moments": (Moment(start_s=2, end_s=4, peak_s=4, score=0.95),),
        "cautions": (Caution(code="quality.tiny", message="It looks unlike everything."),),
        "provenance": SIGNED_ORIGIN,
        "tiles": None,
        "model": "7",
        "seconds": {"probing": 0.1, "decoding": 1.5, "scoring": 0.5},
    }
    return make_detection(**(defaults | fields))


def make_unscored_detection(file: str = "evil.mp4", code: str = "media.not-media", **fields: Any) -> Detection:
    """Return the detection of a file that could not be scored."""
    missing: dict[str, Any] = dict.fromkeys(("facts", "interval", "score", "provenance", "tiles", "damage"))
    missing |= dict.fromkeys(("frames", "moments", "cautions"), ()) | {"frames_analyzed": 0}
    error = {"verdict": "not scored", "code": code, "message": f"{file}: is no image or video."}
    detection = make_detection(file, **(missing | error | fields))
    return detection.model_copy(update={"probability": None})


def make_record(detection: Detection | None = None, owner: str = "ann", **fields: Any) -> DetectionRecord:
    """Return the record of a finished upload, or of a queued one where there is no detection. Later records have higher ids."""
    created = fields.get("created", "2026-11-20T10:00:00.000+00:00")
    nanoseconds = int(datetime.fromisoformat(created).timestamp()) * 1_000_000_000
    defaults: dict[str, Any] = {
        "detection_id": f"{nanoseconds:016x}{next(_numbers):016x}",
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
