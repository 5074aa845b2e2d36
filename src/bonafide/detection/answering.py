"""Answers of many files: kept ones at once, the others by a detector that is loaded when the first of them needs it."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from bonafide.dataset.hashes import HASHES, HashIndex
from bonafide.detection.answers import Answers
from bonafide.detection.detected import FRAMES, HEAT, Detected, Looked
from bonafide.detection.names import shown
from bonafide.detection.progress import Watch, silent
from bonafide.errors import BonafideError, MediaError
from bonafide.settings import Settings
from bonafide.tracking import registry

if TYPE_CHECKING:
    from bonafide.detection.detector import Detector

log = logging.getLogger(__name__)

_AHEAD = 8  # files that are decoded while another one is scored; each may hold 50 MB
_TOGETHER = 256  # files whose digests are looked up at once


@dataclass(frozen=True)
class Given:
    """The answer of one file of many.

    Attributes:
        file: which one.
        answer: what comes of it.
        kept: it was given before, and not computed anew.
        folder: where its pictures lie, if the answer has ``tiles``.
    """

    file: Path
    answer: Detected
    kept: bool
    folder: Path

    def without_pictures(self) -> "Given":
        """Return what takes little memory."""
        return replace(self, answer=self.answer.without_pictures())


class Answering:
    """One version of the detector, and the answers that it has given.

    Args:
        which: a version's number or alias, or a folder in which a run ended.
        settings: of this machine; answers of a registered version are kept in its cache.
        workspace: where those of a folder's model are, which are worth nothing when it is trained anew.

    Raises:
        RegistryError: there is no such version.
    """

    def __init__(self, which: str, settings: Settings, workspace: Path) -> None:
        self._settings, self._which = settings, which
        self.registered = which.isdecimal() or not Path(which).is_dir()
        self.unkept = ""
        """Why answers could not be kept; empty where they were."""
        if self.registered:
            version = registry.named(which)
            self._which = str(version.version)
            self._answers = Answers(settings.cache_dir, (version.sha256, version.evidence))
        else:
            self._answers = Answers(workspace, (which, ""))

    def each(self, files: Sequence[Path], *, pictures: bool, anew: bool) -> Iterator[Given]:
        """Yield the answer of each file, in order; what is decoded ahead is dropped where nobody asks on.

        Args:
            files: what to score.
            pictures: whether the answers need ``frames.jpg`` and ``heat.jpg`` in their folder.
            anew: whether kept answers are passed over.
        """
        workers = min(self._settings.workers, _AHEAD)
        pool = ThreadPoolExecutor(workers)
        waiting: deque[Callable[[], Given]] = deque()
        try:
            for file, sha256 in self._digests(files):
                kept = None if anew else self._kept(file, sha256, pictures)
                waiting.append(kept or self._begun(pool, file, pictures))
                if len(waiting) > workers:
                    yield waiting.popleft()()
            while waiting:
                yield waiting.popleft()()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def detector(self) -> "Detector":
        """The detector, loaded when it is first asked for."""
        from bonafide.detection.detector import Detector  # TensorFlow

        return Detector.load(self._which)

    def _digests(self, files: Sequence[Path]) -> Iterator[tuple[Path, str]]:
        """Yield each file with its digest, which is empty where it can't be read; what was read before is not read again."""
        with HashIndex(self._settings.cache_dir / HASHES) as hashes:
            for start in range(0, len(files), _TOGETHER):
                some = files[start : start + _TOGETHER]
                known = hashes.sha256([file for file in some if file.is_file()], self._settings.workers)
                for file in some:
                    digest = known.get(file)
                    yield file, digest if isinstance(digest, str) else ""

    def _kept(self, file: Path, sha256: str, pictures: bool) -> Callable[[], Given] | None:
        answer = self._answers.find(sha256, shown(file)) if sha256 else None
        folder = self._answers.folder(sha256)
        if answer is None or (pictures and answer.features is not None and not _drawn(answer, folder)):
            return None
        return lambda: Given(file, answer, True, folder)

    def _begun(self, pool: ThreadPoolExecutor, file: Path, pictures: bool) -> Callable[[], Given]:
        looked = pool.submit(self._look, self.detector, file)
        return lambda: self._given(file, self.detector.judge(looked.result()), pictures)

    def _look(self, detector: "Detector", file: Path) -> Looked:
        """Decode a file. One that meets a defect of a library is told of, with all that helps to mend it, and costs the others nothing."""
        try:
            return detector.look(file)
        except BonafideError:  # of the machine, not of this file
            raise
        except Exception as error:  # whatever a library may raise at what strangers hand in
            log.exception("%s", shown(file))
            fault = MediaError(shown(file), f"makes a program that reads it fail: {type(error).__name__}: {error}", "Report it, please.")
            return Looked(file, shown(file), fault, None, Watch(silent))

    def _given(self, file: Path, answer: Detected, pictures: bool) -> Given:
        """Keep an answer. Where that fails, as on a full disk, it is given all the same."""
        folder = self._answers.folder(answer.detection.sha256)
        try:
            if pictures:
                answer = Detected(self.detector.explain(answer, folder), answer.features, answer.pictures)
            self._answers.keep(answer)
        except OSError as error:
            self.unkept = str(error)
        return Given(file, answer, False, folder)


def _drawn(answer: Detected, folder: Path) -> bool:
    """Say whether an answer has its pictures."""
    return answer.detection.tiles is not None and all((folder / name).exists() for name in (FRAMES, HEAT))
