"""The files of one shard, scored one after another into one part. A part that is there is not made again."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from bonafide.detection import predictions
from bonafide.detection.answers import Answers
from bonafide.detection.detected import Detected
from bonafide.detection.detector import Detector
from bonafide.errors import BonafideError, CrashesDetectorError, MediaError
from bonafide.files import sha256_of
from bonafide.metadata.store import Store, open_store
from bonafide.reporting.detection_rows import Row
from bonafide.scoring.job import Job, Listing
from bonafide.scoring.source import Listed, Source
from bonafide.scoring.table import PART, row_in_part, unread, write
from bonafide.scoring.tries import Tries
from bonafide.settings import Settings

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
    predictions.keep(store, answers)
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
        self.files, self._source = listing.files, Source(listing.source)
        self._detector, self.tries = detector, tries
        self._answers, self._limit = Answers(settings.cache_dir, loaded.origin), loaded.run.limits.max_bytes

    def score(self, listed: Listed) -> tuple[Row, Detected | None]:
        """Return the row of a file, and its answer without pictures; no answer of one that could not even be looked at."""
        try:
            with self._source.here(listed, self._limit) as path:
                answer = self._answer(path, listed.file)
        except MediaError as error:
            return unread(listed, self._detector.version, error), None
        return row_in_part(answer.detection, listed), answer

    def _answer(self, path: Path, name: str) -> Detected:
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

    def _detect(self, path: Path, name: str) -> Detected:
        """Score a file. One that meets a defect of a library is told of, and costs the others nothing."""
        try:
            return self._detector.detect(path, name)
        except BonafideError:  # of the machine, not of this file
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
