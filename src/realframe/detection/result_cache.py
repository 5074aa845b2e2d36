"""Answers that were given before, kept by the content of the file: a folder of thousands of files goes on where it stopped."""

import hashlib
from pathlib import Path

from pydantic import ValidationError

import realframe
from realframe.caching.item_cache import ItemCache
from realframe.detection.result import DetectionResult
from realframe.files import write_text
from realframe.models import frame_features
from realframe.store.detection_documents import Detection
from realframe.store.document_base import Part

# What stays true of a file whenever it is asked again. That it can't be read, or took too long, does not.
_LASTING = ("media.empty", "media.not-media", "media.no-video-stream", "media.undecodable", "media.too-small", "media.no-usable-frame")
_ROOMS = ("detection", "evaluation", "media", "metadata", "models", "params", "provenance", "statistics")
_ANSWER = "answer.json"


class _Kept(Part):
    """An answer on disk; ``features`` as ``realframe.models.frame_features.as_text`` writes them, empty where there are none."""

    detection: Detection
    features: str


class ResultCache:
    """The answers of one detector.

    Args:
        root: where they lie; may be deleted at any time.
        detector: what tells the detector from any other one: the digests of its file and of its evidence.
    """

    def __init__(self, root: Path, detector: tuple[str, str]) -> None:
        self._cache = ItemCache(root, "answers", [*detector, _code()])

    def folder(self, sha256: str) -> Path:
        """Return where the answer of a file and its pictures lie or would lie."""
        return self._cache.path(sha256)

    def find(self, sha256: str, name: str) -> DetectionResult | None:
        """Return the answer of a file by the digest of its bytes; None where there is none. It calls the file by ``name``."""
        try:
            kept = _Kept.model_validate_json((self.folder(sha256) / _ANSWER).read_bytes())
        except (OSError, ValidationError):
            return None
        return DetectionResult(_renamed(kept.detection, name), frame_features.from_text(kept.features) if kept.features else None, None)

    def keep(self, answer: DetectionResult) -> None:
        """Keep an answer, if it would be the same tomorrow. Raises OSError where the disk is full."""
        detection = answer.detection
        if not detection.sha256 or (detection.code and detection.code not in _LASTING):
            return
        kept = _Kept(detection=detection, features="" if answer.features is None else frame_features.as_text(answer.features))
        write_text(self.folder(detection.sha256) / _ANSWER, kept.model_dump_json())


def _renamed(detection: Detection, name: str) -> Detection:
    """Return an answer that calls the file by another name, in its sentence too."""
    message = name + detection.message.removeprefix(detection.file) if detection.message else ""
    return detection.model_copy(update={"file": name, "message": message})


def _code() -> str:
    """Return a digest of the code on which an answer depends; it is read as text, since importing it takes seconds."""
    package, digest = Path(str(realframe.__file__)).parent, hashlib.sha256()
    for source in sorted(file for room in _ROOMS for file in (package / room).rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()
