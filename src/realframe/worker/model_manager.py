"""A detector's first files take seconds, as its network is prepared then; so that nobody waits for it, they are test pictures.

The champion, loaded and warm. A new one is loaded beside it and takes its place, so that no file waits and none is dropped.
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

from realframe.detection.detector import Detector
from realframe.errors import RegistryError
from realframe.media.ffmpeg import executable
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION

_TEST_PICTURE = "testsrc2=size=320x320:rate=8:duration=2"  # of FFmpeg: a moving pattern


def warm_up(detector: Detector) -> None:
    """Have a detector answer a short clip and a still image, with their pictures; what it says of them is of no interest."""
    with tempfile.TemporaryDirectory() as folder:
        clip, still = Path(folder) / "clip.mp4", Path(folder) / "still.png"
        _write(clip, vcodec="mpeg4")
        _write(still, vframes=1)
        for file in (clip, still):
            detector.explain(detector.detect(file), Path(folder))


def _write(target: Path, **options: str | int) -> None:
    ffmpeg.input(_TEST_PICTURE, f="lavfi").output(str(target), loglevel="error", **options).run(cmd=executable(), quiet=True)


_LOOK_S = 2.5
"""Between two looks at the registry. With loading and exercise, a new champion answers within 10 s of its approval."""
_AGAIN_S = 30.0
_UNUSED_S = 120.0
_LEAVE_S = 3.0
_log = logging.getLogger(__name__)


class ModelSlot:
    """Holds the detector of one version, and changes it.

    Attributes:
        detector: None where there is none.
        problem: why there is none, or not the right one, as a sentence; empty where all is well.
    """

    def __init__(self) -> None:
        self.detector: Detector | None = None
        self.problem = ""
        self._failed, self._failed_at = "", 0.0

    def take(self, version: int) -> None:
        """Load a version, if it is not the one that sits here.

        One that the registry refuses to give leaves the seat empty: what was decided against must not go on answering. Where it can't be
        reached, the one that sits here stays. Either way it is tried again after a while.
        """
        name = str(version)
        if self.detector and self.detector.version == name:
            self.problem = ""
            return
        if name == self._failed and time.monotonic() - self._failed_at < _AGAIN_S:
            return
        try:
            detector = Detector.load(name)
            warm_up(detector)
        except Exception as error:  # whatever a store of models may come up with; the worker must live
            self._failed, self._failed_at = name, time.monotonic()
            self._tell(f"version {name} can't be loaded: {error}")
            if isinstance(error, RegistryError):
                self.detector = None
            return
        self.detector, self.problem, self._failed = detector, "", ""
        gc.collect()  # the one before: networks hold themselves in circles
        _log.info("version %s is loaded", name)

    def leave(self, why: str = "") -> None:
        """Let go of what sits here."""
        if self.detector:
            self.detector = None
            gc.collect()
        self._tell(why)

    def _tell(self, problem: str) -> None:
        if problem and problem != self.problem:
            _log.warning(problem)
        self.problem = problem


class ModelManager:
    """The champion and, as long as somebody asks for it, the challenger. A thread follows the registry.

    Attributes:
        challenged: there is a challenger that can be loaded, for all that is known.
    """

    def __init__(self) -> None:
        self._champion, self._challenger = ModelSlot(), ModelSlot()
        self._unreachable = ""
        self._asked = -_UNUSED_S
        self.challenged = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="registry", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(_LEAVE_S)  # a load that is under way may take longer; nobody needs it

    @property
    def problem(self) -> str:
        """Why nothing answers, or not the present champion, as a sentence; empty where all is well."""
        return self._champion.problem or self._unreachable

    @property
    def champion(self) -> Detector | None:
        """The detector that answers; None where there is none yet."""
        return self._champion.detector

    def challenger(self) -> Detector | None:
        """Return the challenger; None where there is none, or where it is being loaded, because somebody asked."""
        self._asked = time.monotonic()
        return self._challenger.detector

    def _follow(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(_LOOK_S)

    def _look(self) -> None:
        try:
            challenger = model_registry.by_alias(CHALLENGER)
            self.challenged = challenger is not None and not self._challenger.problem
            self._seat_champion()
            self._unreachable = ""
        except Exception as error:  # whatever a tracking server that is away may come up with; what is loaded goes on
            reason = f"the model registry can't be reached: {error}"
            if not self._unreachable:
                _log.warning(reason)
            self._unreachable = reason
            return
        if challenger is None or time.monotonic() - self._asked > _UNUSED_S:
            self._challenger.leave()
        else:
            self._challenger.take(challenger.version)

    def _seat_champion(self) -> None:
        try:
            champion = model_registry.named(CHAMPION)
        except RegistryError as error:
            self._champion.leave(str(error))
        else:
            self._champion.take(champion.version)
