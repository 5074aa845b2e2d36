"""Which files a user means by the paths that they name.

Answers of many files: kept ones at once, the others by a detector that is loaded when the first of them needs it.
"""

import glob
import logging
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from realframe.data.file_hashes import HASHES, HashIndex
from realframe.data.layouts import files_of
from realframe.detection.progress import ProgressWatch, no_progress
from realframe.detection.result import FRAMES, HEAT, DecodedFile, DetectionResult, display_path
from realframe.detection.result_cache import ResultCache
from realframe.errors import MediaError, RealframeError
from realframe.registry import model_registry
from realframe.settings import Settings

_PATTERN = re.compile(r"[*?\[]")


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and for each folder the files below it that may be media (no hidden ones, no text); each once, in order."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path / name for name, _ in files_of(path)] if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def meant(name: str) -> list[Path]:
    """Return what a word of the command line means: the path itself, or, where there is none, what a pattern such as ``**/*.mp4`` finds.

    Raises:
        FileNotFoundError: it names nothing that is there.
    """
    if os.path.lexists(name):
        return [Path(name)]
    found = sorted(glob.glob(name, recursive=True)) if _PATTERN.search(name) else []  # noqa: PTH207 - Path.glob takes no absolute ones
    if not found:
        raise FileNotFoundError(name)
    return [Path(path) for path in found]


def listed(data: bytes) -> Iterator[Path]:
    """Yield the paths of a list: one a line, or with a NUL after each, as ``find -print0`` writes them."""
    end = b"\0" if b"\0" in data else b"\n"
    for name in data.split(end):
        stripped = name if end == b"\0" else name.removesuffix(b"\r")
        if stripped:
            yield Path(os.fsdecode(stripped))


if TYPE_CHECKING:
    from realframe.detection.detector import Detector

log = logging.getLogger(__name__)

_AHEAD = 8  # files that are decoded while another one is scored; each may hold 50 MB
_TOGETHER = 256  # files whose digests are looked up at once


@dataclass(frozen=True)
class BatchItem:
    """The answer of one file of many.

    Attributes:
        file: which one.
        answer: what comes of it.
        kept: it was given before, and not computed anew.
        folder: where its pictures lie, if the answer has ``tiles``.
    """

    file: Path
    answer: DetectionResult
    kept: bool
    folder: Path

    def without_pictures(self) -> "BatchItem":
        """Return what takes little memory."""
        return replace(self, answer=self.answer.without_pictures())


class BatchDetector:
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
            version = model_registry.named(which)
            self._which = str(version.version)
            self._answers = ResultCache(settings.cache_dir, (version.sha256, version.evidence))
        else:
            self._answers = ResultCache(workspace, (which, ""))

    def each(self, files: Sequence[Path], *, pictures: bool, anew: bool) -> Iterator[BatchItem]:
        """Yield the answer of each file, in order; what is decoded ahead is dropped where nobody asks on.

        Args:
            files: what to score.
            pictures: whether the answers need ``frames.jpg`` and ``heat.jpg`` in their folder.
            anew: whether kept answers are passed over.
        """
        workers = min(self._settings.workers, _AHEAD)
        pool = ThreadPoolExecutor(workers)
        waiting: deque[Callable[[], BatchItem]] = deque()
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
        from realframe.detection.detector import Detector

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

    def _kept(self, file: Path, sha256: str, pictures: bool) -> Callable[[], BatchItem] | None:
        answer = self._answers.find(sha256, display_path(file)) if sha256 else None
        folder = self._answers.folder(sha256)
        if answer is None or (pictures and answer.features is not None and not _drawn(answer, folder)):
            return None
        return lambda: BatchItem(file, answer, True, folder)

    def _begun(self, pool: ThreadPoolExecutor, file: Path, pictures: bool) -> Callable[[], BatchItem]:
        looked = pool.submit(self._look, self.detector, file)
        return lambda: self._given(file, self.detector.judge(looked.result()), pictures)

    def _look(self, detector: "Detector", file: Path) -> DecodedFile:
        """Decode a file. One that meets a defect of a library is told of, with all that helps to mend it, and costs the others nothing."""
        try:
            return detector.look(file)
        except RealframeError:  # of the machine, not of this file
            raise
        except Exception as error:  # whatever a library may raise at what strangers hand in
            log.exception("%s", display_path(file))
            fault = MediaError(
                display_path(file), f"makes a program that reads it fail: {type(error).__name__}: {error}", "Report it, please."
            )
            return DecodedFile(file, display_path(file), fault, None, ProgressWatch(no_progress))

    def _given(self, file: Path, answer: DetectionResult, pictures: bool) -> BatchItem:
        """Keep an answer. Where that fails, as on a full disk, it is given all the same."""
        folder = self._answers.folder(answer.detection.sha256)
        try:
            if pictures:
                answer = DetectionResult(self.detector.explain(answer, folder), answer.features, answer.pictures)
            self._answers.keep(answer)
        except OSError as error:
            self.unkept = str(error)
        return BatchItem(file, answer, False, folder)


def _drawn(answer: DetectionResult, folder: Path) -> bool:
    """Say whether an answer has its pictures."""
    return answer.detection.tiles is not None and all((folder / name).exists() for name in (FRAMES, HEAT))
