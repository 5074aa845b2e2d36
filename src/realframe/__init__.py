"""Tell AI-generated images and videos from real ones.

The public names are imported when they are first used: the detector needs TensorFlow, which takes seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from realframe.detection.detector import Detector
    from realframe.detection.result import DetectionResult
    from realframe.errors import RealframeError
    from realframe.store.detection_documents import Detection

__all__ = ["Detection", "DetectionResult", "Detector", "RealframeError"]

_MODULES = {
    "Detection": "realframe.store.detection_documents",
    "DetectionResult": "realframe.detection.result",
    "Detector": "realframe.detection.detector",
    "RealframeError": "realframe.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
