"""Handmade detections for tests of reports and wording."""

from typing import Any

from realframe.provenance.origin import Credentials, Provenance, Trace
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Caution, Detection, FileFacts, FrameScore, Moment, ProbabilityInterval

BAND = UncertaintyBand(0.3, 0.7, 0.1)
CLIP = FileFacts(kind="video", container="mp4", codec="h264", width=640, height=360, fps=25, frames=250, duration_s=10, bytes=1_000_000)
PHOTO = CLIP.model_copy(update={"kind": "image", "container": "jpeg", "codec": "jpeg", "fps": 0, "frames": 1, "duration_s": 0})
SIGNED = Provenance(
    credentials=Credentials("valid", "ai-generated", "CN=<b>Maker</b>", "Gen 2", "2026-01-02T03:04:05Z", ("untrusted",)),
    traces=(Trace('PNG text "parameters"', "ai-generated", "<script>alert(1)</script>", "Stable Diffusion"),),
    sentence="It says that it was made by Gen 2.",
)


def make_detection(**changed: Any) -> Detection:
    """Return the detection of a ten-second clip with the verdict ``ai-generated``; arguments replace fields."""
    scores = (0.2, 0.9, 0.95, 0.4, 0.3)
    facts: dict[str, Any] = {
        "file": "clip.mp4",
        "sha256": "ab" * 32,
        "facts": CLIP,
        "verdict": "ai-generated",
        "probability": 0.9,
        "interval": ProbabilityInterval(low=0.8, high=0.96),
        "score": 0.8,
        "band": BAND,
        "threshold": 0.5,
        "frames_analyzed": len(scores),
        "frames": tuple(FrameScore(time_s=2 * place, score=score, attention=None) for place, score in enumerate(scores)),
        "moments": (Moment(start_s=2, end_s=4, peak_s=4, score=0.95),),
        "cautions": (Caution(code="domain.far", message="It looks unlike everything."),),
        "provenance": SIGNED,
        "tiles": None,
        "model": "7",
        "seconds": {"probing": 0.1, "decoding": 1.5, "scoring": 0.5},
    }
    return Detection.model_validate(facts | changed)


def make_unscored_detection(file: str = "evil.mp4") -> Detection:
    """Return the detection of a file that could not be scored."""
    empty: dict[str, Any] = dict.fromkeys(("facts", "probability", "interval", "score", "provenance"))
    empty |= dict.fromkeys(("frames", "moments", "cautions"), ()) | {"frames_analyzed": 0}
    return make_detection(file=file, verdict="not scored", code="media.not-media", message=f"{file}: is no image or video.", **empty)
