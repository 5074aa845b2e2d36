"""Cache the results of one detector by the content of the file, so that a folder of thousands of files resumes where it stopped."""

from pathlib import Path

from pydantic import ValidationError

from realframe.caching.code_digest import code_digest
from realframe.caching.eviction import record_use
from realframe.caching.item_cache import ItemCache
from realframe.detection.result import DetectionResult
from realframe.errors import is_retryable_code
from realframe.files import write_text
from realframe.models import frame_features
from realframe.store.detection_documents import Detection
from realframe.store.document_base import DocumentPart

_CODE = ("realframe.detection.detector", __name__)
"""The modules that compute and store a result; the first is not imported here, because it imports TensorFlow."""
_RESULT_FILE = "result.json"


class _CachedResult(DocumentPart):
    """A result on disk; ``features`` is text as of ``frame_features.encode_vector``, empty where there are none."""

    detection: Detection
    features: str


class ResultCache:
    """The results of one detector.

    Args:
        root: folder of the cache; may be deleted at any time.
        answer_key: of the detector: identifies everything that decides an answer.
        limit_bytes: size limit of all caches in ``root``; None where results are not evicted.
        measures_stability: the results are those of single files, whose stability is measured; they are kept apart from the others.
    """

    def __init__(self, root: Path, answer_key: str, limit_bytes: int | None = None, *, measures_stability: bool = False) -> None:
        kind = ["single"] if measures_stability else []
        self._cache = ItemCache(root, "results", [answer_key, code_digest(*_CODE), *kind], limit_bytes)

    @property
    def attempts_folder(self) -> Path:
        """Where the attempts at files without a result are counted."""
        return self._cache.folder / "attempts"

    def folder(self, sha256: str) -> Path:
        """Return the folder of the result and the sprites of a file, whether it exists or not."""
        return self._cache.item_path(sha256)

    def get(self, sha256: str, name: str) -> DetectionResult | None:
        """Return the result of the file with this digest, which then calls the file ``name``; None where there is none."""
        try:
            cached = _CachedResult.model_validate_json((self.folder(sha256) / _RESULT_FILE).read_bytes())
        except (OSError, ValidationError):
            return None
        record_use(self.folder(sha256))
        features = frame_features.decode_vector(cached.features) if cached.features else None
        return DetectionResult(_rename_file(cached.detection, name), features, None)

    def put(self, result: DetectionResult) -> None:
        """Store a result, unless its error is retryable. Raises OSError where the disk is full."""
        detection = result.detection
        if not detection.sha256 or is_retryable_code(detection.code):
            return
        features = "" if result.features is None else frame_features.encode_vector(result.features)
        cached = _CachedResult(detection=detection, features=features)
        write_text(self.folder(detection.sha256) / _RESULT_FILE, cached.model_dump_json())
        self._cache.record_added(detection.sha256)


def _rename_file(detection: Detection, name: str) -> Detection:
    """Return a detection that calls the file by another name, in its message too."""
    message = name + detection.message.removeprefix(detection.file) if detection.message else ""
    return detection.model_copy(update={"file": name, "message": message})
