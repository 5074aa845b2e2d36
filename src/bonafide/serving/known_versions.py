"""The versions of the detector as the registry has them, asked for every few seconds at most: MLflow takes its time."""

import logging
import threading
import time

from bonafide.errors import BonafideError, SetupError
from bonafide.tracking import registry
from bonafide.tracking.registry import ModelVersion

_KEPT_S = 5.0
_log = logging.getLogger(__name__)


class KnownVersions:
    """What the registry said last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[ModelVersion] = []
        self._asked = float("-inf")

    def all(self) -> list[ModelVersion]:
        """Return all versions, the newest first; of several who ask at once one waits for MLflow. Raises SetupError where it fails."""
        with self._lock:
            if time.monotonic() - self._asked > _KEPT_S:
                self._found = _ask()
                self._asked = time.monotonic()
            return self._found


def _ask() -> list[ModelVersion]:
    try:
        return list(reversed(registry.versions()))
    except BonafideError:
        raise
    except Exception as error:  # MLflow's, its database's, those of the network
        _log.exception("the model registry failed")
        raise SetupError("the model registry", "does not answer", "Is MLflow there? The log has what it said.") from error
