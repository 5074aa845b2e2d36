"""Score many files with one detector: the engine of the command ``detect``, of the scoring job and of the worker.

For each file, in order: return the cached result where there is one; else load the detector, decode the file while others are scored,
score it, cache the result unless its error is retryable, and count the attempt. A file that cannot be scored gives a result with the
reason. So does a file at which the detector failed or its process ended in ``MAX_ATTEMPTS`` attempts.
"""

import hashlib
import logging
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from realframe.data.file_hashes import HASH_INDEX_FILE, HashIndex
from realframe.detection.crash_counter import MAX_ATTEMPTS, AttemptCounter, CrashCounter, RecordedAttempts
from realframe.detection.result import (
    BatchFile,
    BatchItem,
    DecodedFile,
    DetectionResult,
    RemoteFile,
    StepTimer,
    compute_sha256_or_empty,
)
from realframe.detection.result_cache import ResultCache
from realframe.disk_space import is_disk_full, make_disk_full_error
from realframe.errors import DetectorCrashError, MediaError, MetadataError, RealframeError, RegistryError
from realframe.registry import detector_folder
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE

if TYPE_CHECKING:
    from realframe.detection.detector import Detector
    from realframe.settings import Settings

log = logging.getLogger(__name__)

_MAX_READ_AHEAD = 8  # files; each may hold 50 MB
_HASHED_TOGETHER = 256  # files whose digests are looked up in one go


@dataclass
class _Task:
    """A file on its way to its item.

    Attributes:
        file: the file.
        sha256: of its bytes; empty where it is not known yet or cannot be read.
        attempts: that began before and did not end with a result.
        cached: the item, where the cache has the result.
        decode: returns the decoded file, or its cached item; set when the attempt begins.
        is_counted: the counter holds attempts at it.
    """

    file: BatchFile
    sha256: str
    attempts: int = 0
    cached: BatchItem | None = None
    decode: Callable[[], DecodedFile | BatchItem] | None = None
    is_counted: bool = False

    @property
    def key(self) -> str:
        """What the attempts at the file are counted under."""
        if isinstance(self.file.source, RemoteFile):
            return hashlib.sha256(self.file.source.key.encode("utf-8", "surrogateescape")).hexdigest()
        return self.sha256 or hashlib.sha256(self.file.name.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def is_suspect(self) -> bool:
        """An attempt at it did not end: it may end the process again."""
        return self.cached is None and 0 < self.attempts < MAX_ATTEMPTS


class BatchDetector:
    """Scores files with one detector and caches the results.

    Args:
        load_detector: returns the detector; called once, when a file needs it.
        attempts: counts the attempts at each file; by default none is counted.
        cache: of the results; None for no cache.
        index_folder: where the digests of files are stored; needed with a cache.
        read_ahead: files that are decoded in threads while another one is scored; 0 to decode each file in the caller's thread.
        measures_stability: the stability of images is measured, which is meant for single files.

    Attributes:
        is_registered: the detector is a version of the registry, so that its cache is kept.
        storage_error: why results, sprites or attempts could not be stored; empty where they were.
    """

    def __init__(
        self,
        load_detector: "Callable[[], Detector]",
        attempts: AttemptCounter | None = None,
        cache: ResultCache | None = None,
        index_folder: Path | None = None,
        read_ahead: int = 0,
        *,
        measures_stability: bool = False,
    ) -> None:
        self._load_detector, self._attempts = load_detector, attempts or RecordedAttempts()
        self._cache, self._index_folder, self._read_ahead = cache, index_folder, read_ahead
        self._measures_stability = measures_stability
        self.is_registered = True
        self.storage_error = ""

    @classmethod
    def open(cls, model_ref: str, settings: "Settings", workspace: Path, *, measures_stability: bool = False) -> Self:
        """Return the batch detector of a version, with its cache on this machine.

        Args:
            model_ref: a version's number or alias, or a folder.
            settings: of this machine.
            workspace: as of :meth:`open_folder`.
            measures_stability: as of the class.

        Raises:
            RegistryError: there is no such version, or what decides its answers is missing or was changed.
        """
        if detector_folder.is_folder(model_ref):
            return cls.open_folder(Path(model_ref), workspace, settings.workers, measures_stability=measures_stability)
        from realframe.detection import approved_bundle  # not at the top: realframe-detect has no registry
        from realframe.registry import model_registry

        version = model_registry.resolve_version(model_ref)
        approved_bundle.check_local_bundle(version)
        try:
            key = approved_bundle.find_answer_key(version)
        except MetadataError:  # where the version is loaded, this is logged
            key = version.answer_digest
        cache = ResultCache(settings.cache_dir, key, settings.cache_limit_bytes, measures_stability=measures_stability)
        load, counter = partial(_load_decided, str(version.version), key), CrashCounter(cache.attempts_folder)
        read_ahead = min(settings.workers, _MAX_READ_AHEAD)
        return cls(load, counter, cache, settings.cache_dir, read_ahead, measures_stability=measures_stability)

    @classmethod
    def open_folder(cls, folder: Path, workspace: Path, workers: int, *, measures_stability: bool = False) -> Self:
        """Return the batch detector of the model in a folder, with its cache in ``workspace``. Raises RegistryError if it holds none.

        Args:
            folder: of a finished run, or an exported one.
            workspace: for the cache; usually temporary, since another model may be in the folder next time.
            workers: threads that decode ahead, at most 8.
            measures_stability: as of the class.
        """
        cache = ResultCache(workspace, detector_folder.read_folder(folder).digest, measures_stability=measures_stability)
        load, counter = partial(_load_detector, str(folder)), CrashCounter(cache.attempts_folder)
        batch = cls(load, counter, cache, workspace, min(workers, _MAX_READ_AHEAD), measures_stability=measures_stability)
        batch.is_registered = False
        return batch

    @cached_property
    def detector(self) -> "Detector":
        """The detector, loaded at the first use."""
        return self._load_detector()

    def score_files(self, files: Sequence[BatchFile], *, with_sprites: bool = False, use_cache: bool = True) -> Iterator[BatchItem]:
        """Yield the item of each file, in order. Files that are decoded ahead are dropped where the caller stops.

        A file at which an earlier attempt did not end is decoded and scored while no other file is in work, so that only the file at
        fault is given up when the process ends again.

        Args:
            files: to score.
            with_sprites: write the sprites ``FRAMES_SPRITE`` and ``HEATMAPS_SPRITE`` for each scored file.
            use_cache: return cached results; results are stored in either case.

        Raises:
            RegistryError: the detector cannot be loaded.
            RealframeError: of this machine, not of a file.
        """
        tasks: deque[_Task] = deque()
        pool = ThreadPoolExecutor(self._read_ahead) if self._read_ahead else None
        try:
            for file, sha256 in self._hash_files(files):
                task = self._create_task(file, sha256, with_sprites, use_cache)
                if task.is_suspect:
                    while tasks:
                        yield self._finish_first(tasks, with_sprites)
                    task = self._create_task(file, sha256, with_sprites, use_cache)  # a copy of the file may have been scored by now
                tasks.append(task)
                self._begin(task, pool, with_sprites, use_cache)
                if task.is_suspect or len(tasks) > self._read_ahead:
                    yield self._finish_first(tasks, with_sprites)
            while tasks:
                yield self._finish_first(tasks, with_sprites)
        finally:
            for task in tasks:  # the caller stopped, which is not the fault of these files
                self._set_attempts(task, task.attempts)
            if pool:
                pool.shutdown(wait=False, cancel_futures=True)

    def _hash_files(self, files: Sequence[BatchFile]) -> Iterator[tuple[BatchFile, str]]:
        """Yield each file with its digest; empty where it is not needed, not known yet or cannot be read."""
        if self._cache is None or self._index_folder is None:
            yield from ((file, "") for file in files)
            return
        with HashIndex(self._index_folder / HASH_INDEX_FILE) as index:
            for start in range(0, len(files), _HASHED_TOGETHER):
                chunk = files[start : start + _HASHED_TOGETHER]
                paths = [file.source for file in chunk if isinstance(file.source, Path) and file.source.is_file()]
                digests = index.hash_files(paths, max(self._read_ahead, 1), show_progress=False)
                for file in chunk:
                    digest = digests.get(file.source) if isinstance(file.source, Path) else None
                    yield file, digest if isinstance(digest, str) else ""

    def _create_task(self, file: BatchFile, sha256: str, with_sprites: bool, use_cache: bool) -> _Task:
        task = _Task(file, sha256, cached=self._find_cached(file, sha256, with_sprites) if use_cache else None)
        if task.cached is None:
            task.attempts = self._attempts.get(task.key)
        return task

    def _find_cached(self, file: BatchFile, sha256: str, with_sprites: bool) -> BatchItem | None:
        result = self._cache.get(sha256, file.name) if self._cache and sha256 else None
        folder = self._folder(file, sha256)
        if result is None or (with_sprites and result.features is not None and not _has_sprites(result, folder)):
            return None
        return BatchItem(file, result, is_cached=True, folder=folder)

    def _begin(self, task: _Task, pool: ThreadPoolExecutor | None, with_sprites: bool, use_cache: bool) -> None:
        """Start to decode a file. The detector is loaded here, in the caller's thread, so that Ctrl-C stops it."""
        if task.cached is not None:
            return
        detector, task.is_counted = self.detector, True
        if task.attempts >= MAX_ATTEMPTS:
            task.decode = partial(_give_up, task)
            return
        self._set_attempts(task, task.attempts + 1)
        decode = partial(self._decode, detector, task.file, with_sprites, use_cache)
        task.decode = pool.submit(decode).result if pool else decode

    def _decode(self, detector: "Detector", file: BatchFile, with_sprites: bool, use_cache: bool) -> DecodedFile | BatchItem:
        """Decode a file; return the cached item of a remote file whose bytes turn out to be known."""
        if isinstance(file.source, Path):
            return self._decode_local(detector, file, file.source)
        try:
            with file.source.fetch(detector.loaded.params.limits.max_bytes) as path:
                cached = self._find_cached(file, compute_sha256_or_empty(path), with_sprites) if use_cache else None
                return cached or self._decode_local(detector, file, path)
        except MediaError as error:
            return _undecoded(file, "", error)

    def _decode_local(self, detector: "Detector", file: BatchFile, path: Path) -> DecodedFile:
        return detector.decode(path, file.name, file.on_progress, self._measures_stability)

    def _finish_first(self, tasks: deque[_Task], with_sprites: bool) -> BatchItem:
        """Return the item of the first task and remove it; an interruption leaves it in the queue."""
        task = tasks[0]
        try:
            item = task.cached or self._score(task, with_sprites)
        except RealframeError:  # of this machine, not of the file
            raise
        except Exception as error:  # whatever a library raises at the file; its attempt stays counted
            if is_disk_full(error):
                raise make_disk_full_error(error, [Path(tempfile.gettempdir())]) from error
            log.exception("cannot score %s", task.file.log_name or task.file.name)
            item = self._fail(task, error)
        else:
            self._set_attempts(task, 0)
        tasks.popleft()
        return item

    def _score(self, task: _Task, with_sprites: bool) -> BatchItem:
        assert task.decode is not None, "the attempt has begun"
        decoded = task.decode()
        if isinstance(decoded, BatchItem):
            return decoded
        result = self.detector.score(decoded)
        folder = self._folder(task.file, result.detection.sha256)
        try:
            if with_sprites and folder:
                detection = self.detector.explain(result, folder, task.file.on_progress)
                result = replace(result, detection=detection)
            if self._cache:
                self._cache.put(result)
        except OSError as error:  # such as a full disk: a result without sprites or cache is better than none
            self.storage_error = str(error)
        return BatchItem(task.file, result, folder=folder)

    def _fail(self, task: _Task, error: Exception) -> BatchItem:
        """Return the item of a file at which the detector failed."""
        reason = f"cannot be scored, because a library failed at it: {type(error).__name__}: {error}"
        decoded = _undecoded(task.file, task.sha256, MediaError(task.file.name, reason, "Please report this."))
        return BatchItem(task.file, self.detector.score(decoded), failure=error)

    def _set_attempts(self, task: _Task, attempts: int) -> None:
        if not task.is_counted:
            return
        try:
            self._attempts.set(task.key, attempts)
        except OSError as error:
            self.storage_error = str(error)

    def _folder(self, file: BatchFile, sha256: str) -> Path | None:
        return file.folder or (self._cache.folder(sha256) if self._cache and sha256 else None)


def _load_detector(model_ref: str) -> "Detector":
    from realframe.detection.detector import Detector  # imports TensorFlow

    return Detector.load(model_ref)


def _load_decided(version: str, answer_key: str) -> "Detector":
    """Load a version whose answers are cached under a key. Raises RegistryError where a decision has changed them meanwhile."""
    detector = _load_detector(version)
    if detector.loaded.answer_key != answer_key:
        raise RegistryError(f"version {version}", "was decided on while it was being loaded", "Run the command again.")
    return detector


def _give_up(task: _Task) -> DecodedFile:
    reason = f"cannot be scored: the detector failed or crashed on it in {MAX_ATTEMPTS} attempts"
    hint = "Export the file again in a common format, such as JPEG, PNG or H.264 in MP4. If that does not help, please report it."
    return _undecoded(task.file, task.sha256, DetectorCrashError(task.file.name, reason, hint))


def _undecoded(file: BatchFile, sha256: str, error: MediaError) -> DecodedFile:
    """Return a decoded file that has an error in place of frames."""
    if not sha256 and isinstance(file.source, Path):
        sha256 = compute_sha256_or_empty(file.source)
    return DecodedFile(file.name, sha256, error, None, StepTimer(file.on_progress))


def _has_sprites(result: DetectionResult, folder: Path | None) -> bool:
    if folder is None or result.detection.tiles is None:
        return False
    return all((folder / name).exists() for name in (FRAMES_SPRITE, HEATMAPS_SPRITE))
