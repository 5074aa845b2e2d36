"""A file that kills the process that scores it must not do so for ever: what is at work is written down.

The files of one shard, scored one after another into one part. A part that is there is not made again.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from realframe.detection import stored_predictions
from realframe.detection.detector import Detector
from realframe.detection.result import DetectionResult
from realframe.detection.result_cache import ResultCache
from realframe.errors import CrashesDetectorError, MediaError, RealframeError
from realframe.files import sha256_of, write_text
from realframe.presentation.result_rows import Row
from realframe.scoring.file_source import FileSource, Listed
from realframe.scoring.scoring_job import PART, Job, Listing, row_in_part, unread, write
from realframe.settings import Settings
from realframe.store.repository import Store, open_store

_MOST = 2


class Tries:
    """How often each file of a shard was begun and never ended, also by processes that are no more.

    Args:
        path: where it is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begun: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}

    @contextmanager
    def of(self, name: str) -> Iterator[bool]:
        """Note that a file is at work, as long as this lasts or the process dies of it; yield whether it may be tried once more."""
        before = self._begun.get(name, 0)
        if before >= _MOST:
            yield False
            return
        self._write({**self._begun, name: before + 1})
        try:
            yield True
        finally:
            self._write({other: count for other, count in self._begun.items() if other != name})

    def forget(self) -> None:
        """Take all notes away: the shard is done."""
        self._path.unlink(missing_ok=True)

    def _write(self, begun: dict[str, int]) -> None:
        self._begun = begun
        write_text(self._path, json.dumps(begun))


log = logging.getLogger(__name__)


def score_parts(job: Job, parts: Sequence[str], settings: Settings, done: Callable[[], None] = lambda: None) -> None:
    """Score shards by a detector that is loaded once, keep what was said in the store, and write a part for each.

    A file that can't be used is a row that says why. Answers are kept one by one: after a kill, none of them is computed again.

    Args:
        job: that the shards belong to.
        parts: the names of the shards.
        settings: of this checkout.
        done: is called after each file.

    Raises:
        RunError: a shard was not laid out.
        RegistryError: the version is gone, or its file is not the one that was registered.
        MetadataError: what was said can't be stored.
    """
    open_parts = {part: job.todo(part) for part in parts if not job.part(part).exists()}
    if not open_parts:
        return
    detector = Detector.load(next(iter(open_parts.values())).model)
    with open_store(settings) as store:
        for part, listing in open_parts.items():
            _score(job, part, _Scorer(listing, detector, settings, Tries(job.folder / f"{part}.tries")), store, done)


def _score(job: Job, part: str, scorer: "_Scorer", store: Store, done: Callable[[], None]) -> None:
    rows, answers = [], []
    for listed in scorer.files:
        row, answer = scorer.score(listed)
        rows.append(row)
        answers += [answer] if answer else []
        done()
    stored_predictions.keep(store, answers)
    write(job.part(part), rows, PART)
    scorer.tries.forget()


class _Scorer:
    """Scores the files of a shard.

    Args:
        listing: of them.
        detector: the version that scores them.
        settings: of this checkout.
        tries: how often the file that is at work was begun.
    """

    def __init__(self, listing: Listing, detector: Detector, settings: Settings, tries: Tries) -> None:
        loaded = detector.loaded
        assert loaded.origin is not None, "a job is scored by a version of the registry"
        self.files, self._source = listing.files, FileSource(listing.source)
        self._detector, self.tries = detector, tries
        self._answers, self._limit = ResultCache(settings.cache_dir, loaded.origin), loaded.params.limits.max_bytes

    def score(self, listed: Listed) -> tuple[Row, DetectionResult | None]:
        """Return the row of a file, and its answer without pictures; no answer of one that could not even be looked at."""
        try:
            with self._source.here(listed, self._limit) as path:
                answer = self._answer(path, listed.file)
        except MediaError as error:
            return unread(listed, self._detector.version, error), None
        return row_in_part(answer.detection, listed), answer

    def _answer(self, path: Path, name: str) -> DetectionResult:
        known = self._answers.find(digest, name) if (digest := _digest(path)) else None
        if known:
            return known
        with self.tries.of(name) as allowed:
            if not allowed:
                raise CrashesDetectorError(
                    name, "ended the process that scored it, more than once", "Check that it opens; export it again."
                )
            answer = self._detect(path, name).without_pictures()  # those of a whole shard would fill the memory
        self._answers.keep(answer)
        return answer

    def _detect(self, path: Path, name: str) -> DetectionResult:
        """Score a file. One that meets a defect of a library is told of, and costs the others nothing."""
        try:
            return self._detector.detect(path, name)
        except RealframeError:  # of the machine, not of this file
            raise
        except Exception as error:  # whatever a library may raise at what strangers hand in
            log.exception("%s", name)
            reason = f"makes a program that reads it fail: {type(error).__name__}: {error}"
            raise MediaError(name, reason, "Report it, please.") from error


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file; nothing where it can't be read, which the detector tells."""
    try:
        return sha256_of(path) if path.is_file() else ""
    except OSError:
        return ""
