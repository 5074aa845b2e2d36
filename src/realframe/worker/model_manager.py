"""Keep the champion loaded and warmed up, and follow the registry: a new champion replaces the old one once it is ready.

A detector's first files take seconds, because its network is prepared then. ``warm_up`` scores test pictures, so that the first
upload is not slow. A new champion is loaded next to the old one, so that no upload waits and none is dropped.
"""

import gc
import logging
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import ffmpeg

from realframe.detection import approved_bundle
from realframe.detection.detector import Detector
from realframe.errors import MetadataError, RegistryError
from realframe.media.ffmpeg import ffmpeg_executable
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION, ModelVersion
from realframe.worker.watchdog import Watchdog

_POLL_INTERVAL_S = 2.5
"""Between two looks at the registry. With loading and warm-up, a new champion scores within 10 s of its approval."""
_RETRY_S = 30.0
_CHALLENGER_IDLE_S = 120.0
_JOIN_TIMEOUT_S = 3.0
_TEST_PICTURE = "testsrc2=size=320x320:rate=8:duration=2"  # of FFmpeg: a moving pattern
_log = logging.getLogger(__name__)


class ModelManager:
    """The champion and, while it is requested, the challenger. A thread follows the registry.

    Args:
        watchdog: limits the time in which a version is found, loaded and warmed up.

    Attributes:
        has_challenger: there is a challenger, and no attempt to load it has failed.
    """

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._champion, self._challenger = ModelSlot(), ModelSlot()
        self._registry_problem = ""
        self._challenger_requested = -_CHALLENGER_IDLE_S
        self.has_challenger = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._stopped.set()
        self._thread.join(_JOIN_TIMEOUT_S)  # a model that is being loaded may take longer; it is not needed any more

    @property
    def problem(self) -> str:
        """Why no version scores, or not the current champion, as a sentence; empty where all is well."""
        return self._champion.problem or self._registry_problem

    @property
    def champion(self) -> Detector | None:
        """The detector that scores uploads; None where there is none yet."""
        return self._champion.detector

    def request_challenger(self) -> Detector | None:
        """Return the challenger, which stays loaded for two minutes; None where there is none or it is still being loaded."""
        self._challenger_requested = time.monotonic()
        return self._challenger.detector

    def _run(self) -> None:
        while not self._stopped.is_set():
            with self._watchdog.limit_time("loading a version"):
                self._poll_registry()
            self._stopped.wait(_POLL_INTERVAL_S)

    def _poll_registry(self) -> None:
        try:
            challenger = model_registry.find_by_alias(CHALLENGER)
            self.has_challenger = challenger is not None and not self._challenger.problem
            self._update_champion()
            self._registry_problem = ""
        except Exception as error:  # whatever a tracking server that is away may raise; the loaded models continue
            problem = f"the model registry cannot be reached: {error}"
            if not self._registry_problem:
                _log.warning(problem)
            self._registry_problem = problem
            return
        if challenger is None or time.monotonic() - self._challenger_requested > _CHALLENGER_IDLE_S:
            self._challenger.unload()
        else:
            self._challenger.load(challenger)

    def _update_champion(self) -> None:
        try:
            champion = model_registry.resolve_version(CHAMPION)
        except RegistryError as error:
            self._champion.unload(str(error))
        else:
            self._champion.load(champion)


class ModelSlot:
    """Holds the detector of one version and replaces it.

    Attributes:
        detector: None where none is loaded.
        problem: why none is loaded, or not the right one, as a sentence; empty where all is well.
    """

    def __init__(self) -> None:
        self.detector: Detector | None = None
        self.problem = ""
        self._failed_version, self._failed_at = "", 0.0

    def load(self, version: ModelVersion) -> None:
        """Load a version, unless it is loaded already and is still registered with what decides its answers.

        Where the registry refuses the version, the slot is emptied: a rejected version must not go on scoring. After any other error the
        loaded version stays. Either way the next attempt comes after a while.
        """
        name = str(version.version)
        if self.detector and _is_current(self.detector, version):
            self.problem = ""
            return
        if name == self._failed_version and time.monotonic() - self._failed_at < _RETRY_S:
            return
        try:
            detector = Detector.load(name)
            warm_up(detector)
        except Exception as error:  # whatever a store of models may raise; the worker must go on
            self._failed_version, self._failed_at = name, time.monotonic()
            self._set_problem(f"version {name} cannot be loaded: {error}")
            if isinstance(error, RegistryError):
                self.detector = None
            return
        self.detector, self.problem, self._failed_version = detector, "", ""
        gc.collect()  # networks hold themselves in reference cycles
        _log.info("version %s is loaded", name)

    def unload(self, problem: str = "") -> None:
        """Release the detector, because of a problem or because it is not needed."""
        if self.detector:
            self.detector = None
            gc.collect()
        self._set_problem(problem)

    def _set_problem(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning(problem)
        self.problem = problem


def _is_current(detector: Detector, version: ModelVersion) -> bool:
    """Return whether a detector is this version, with the kinds that the ledger lets it judge; a ledger that is away changes nothing."""
    if detector.version != str(version.version):
        return False
    try:
        return detector.loaded.answer_key == approved_bundle.find_answer_key(version)
    except MetadataError:
        return True


def warm_up(detector: Detector) -> None:
    """Score a short clip and a still image, with their sprites, and discard the results."""
    with tempfile.TemporaryDirectory() as folder:
        clip, still = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        _write_test_picture(clip, vcodec="mpeg4")
        _write_test_picture(still, vframes=1)
        for file in (clip, still):
            detector.explain(detector.detect(file), Path(folder))


def _write_test_picture(target: Path, **options: str | int) -> None:
    stream = ffmpeg.input(_TEST_PICTURE, f="lavfi").output(str(target), loglevel="error", **options)
    stream.run(cmd=ffmpeg_executable(), quiet=True)
