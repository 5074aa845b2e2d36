"""Answers made by hand, for tests of what is said of them."""

from typing import Any

from realframe.provenance.origin import Credentials, Provenance, Trace
from realframe.statistics.conformal import Band
from realframe.store.detection_documents import Caution, Detection, FileFacts, FrameScore, Interval, Moment

BAND = Band(0.3, 0.7, 0.1)
CLIP = FileFacts(kind="video", container="mp4", codec="h264", width=640, height=360, fps=25, frames=250, duration_s=10, bytes=1_000_000)
PHOTO = CLIP.model_copy(update={"kind": "image", "container": "jpeg", "codec": "jpeg", "fps": 0, "frames": 1, "duration_s": 0})
SIGNED = Provenance(
    credentials=Credentials("valid", "ai-generated", "CN=<b>Maker</b>", "Gen 2", "2026-01-02T03:04:05Z", ("untrusted",)),
    traces=(Trace('PNG text "parameters"', "ai-generated", "<script>alert(1)</script>", "Stable Diffusion"),),
    sentence="It says that it was made by Gen 2.",
)


def said(**changed: Any) -> Detection:
    """A clip of ten seconds that is called AI-generated, but for what a test names."""
    scores = (0.2, 0.9, 0.95, 0.4, 0.3)
    facts: dict[str, Any] = {
        "file": "clip.mp4",
        "sha256": "ab" * 32,
        "facts": CLIP,
        "verdict": "ai-generated",
        "probability": 0.9,
        "interval": Interval(low=0.8, high=0.96),
        "score": 0.8,
        "band": BAND,
        "threshold": 0.5,
        "looked_at": len(scores),
        "frames": tuple(FrameScore(time_s=2 * place, score=score, attention=None) for place, score in enumerate(scores)),
        "moments": (Moment(start_s=2, end_s=4, peak_s=4, score=0.95),),
        "cautions": (Caution(code="domain.far", message="It looks unlike everything."),),
        "provenance": SIGNED,
        "tiles": None,
        "model": "7",
        "seconds": {"probing": 0.1, "decoding": 1.5, "scoring": 0.5},
    }
    return Detection.model_validate(facts | changed)


def unscored(file: str = "evil.mp4") -> Detection:
    """A file that could not be used."""
    nothing: dict[str, Any] = dict.fromkeys(("facts", "probability", "interval", "score", "provenance"))
    nothing |= dict.fromkeys(("frames", "moments", "cautions"), ()) | {"looked_at": 0}
    return said(file=file, verdict="not scored", code="media.not-media", message=f"{file}: is no image or video.", **nothing)
