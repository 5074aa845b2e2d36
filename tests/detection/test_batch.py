"""Many files with one detector: results are cached, a stopped run resumes, and a file that ends the process is given up."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realframe import artifacts
from realframe.detection.batch import BatchDetector
from realframe.detection.crash_counter import MAX_ATTEMPTS, CrashCounter, RecordedAttempts
from realframe.detection.detector import Detector
from realframe.detection.result import BatchFile, BatchItem, DecodedFile, DetectionResult, RemoteFile
from realframe.detection.result_cache import ResultCache
from realframe.errors import LimitExceededError, MediaError, SetupError
from realframe.files import compute_sha256
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store.detection_documents import FRAMES_SPRITE
from tests.detection.conftest import EvaluatedRun
from tests.forked_runs import ForkedRuns

CRASH_AT_A_FILE = """
from pathlib import Path
from realframe.detection.batch import BatchDetector
from realframe.detection.result import BatchFile
from realframe.detection.detector import Detector
from realframe.settings import get_settings

real = Detector.decode
def decode(self, path, name="", *more):
    if path.name == "clip.mp4":
        os._exit(9)
    return real(self, path, name, *more)

Detector.decode = decode
"""
SCORE_THE_FOLDER = """
files = [BatchFile.from_path(path) for path in sorted(Path("in").resolve().iterdir())]
for item in BatchDetector.open("champion", get_settings(), Path("workspace")).score_files(files):
    print(Path(item.file.name).name, item.result.detection.code, flush=True)
"""


@pytest.fixture(scope="module")
def detector(evaluated_run: EvaluatedRun) -> Detector:
    return Detector.load(str(evaluated_run.folder))


@pytest.fixture
def champion(evaluated_run: EvaluatedRun, empty_registry: Path) -> str:
    version = model_registry.register_folder(evaluated_run.folder, commit="c" * 40)
    model_registry.set_alias(model_registry.CHAMPION, version)
    return str(version)


@pytest.fixture
def folder(evaluated_run: EvaluatedRun, tmp_path: Path) -> Path:
    """Three images, a clip, and a file that is not media."""
    (tmp_path / "in").mkdir()
    for name in ("real/0.png", "fake/1.png", "real/10.png", "real/clip.mp4"):
        shutil.copy2(evaluated_run.folder / artifacts.RAW_MEDIA / name, tmp_path / "in" / Path(name).name)
    (tmp_path / "in" / "evil.mp4").write_text("no film")
    return tmp_path / "in"


def _open(settings: Settings) -> BatchDetector:
    return BatchDetector.open("champion", settings, settings.root / "workspace")


def _score(settings: Settings, paths: list[Path], **options: bool) -> tuple[BatchDetector, list[BatchItem]]:
    batch = _open(settings)
    return batch, list(batch.score_files([BatchFile.from_path(path) for path in paths], **options))


def _is_loaded(batch: BatchDetector) -> bool:
    return "detector" in vars(batch)


def _attempts(settings: Settings) -> dict[str, int]:
    """The attempts that are counted on disk, by the digest of the file; a killed process may leave a hidden file."""
    return {file.name: int(file.read_text()) for file in settings.cache_dir.glob("results/*/attempts/[!.]*")}


def test_a_cached_result_has_the_new_name_of_the_file(detector: Detector, folder: Path, tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "cache", "digest")
    for name in ("0.png", "evil.mp4"):
        result = detector.detect(folder / name, name)
        cache.put(result)
        cached = cache.get(result.detection.sha256, "<b>other</b>")
        assert cached is not None
        message = result.detection.message.replace(name, "<b>other</b>")
        assert cached.detection == result.detection.model_copy(update={"file": "<b>other</b>", "message": message})
        assert (cached.features is None) == (result.features is None)
        if cached.features is not None and result.features is not None:
            assert np.allclose(cached.features, result.features, rtol=1e-3, atol=1e-3 * np.abs(result.features).max())
    assert ResultCache(tmp_path / "cache", "another digest").get(result.detection.sha256, "x") is None


@pytest.mark.parametrize(
    ("code", "is_cached"),
    [("media.undecodable", True), ("media.detector-crash", True), ("media.limit-exceeded", False), ("media.unreadable", False)],
)
def test_a_retryable_error_is_not_cached(detector: Detector, folder: Path, tmp_path: Path, code: str, is_cached: bool) -> None:
    cache = ResultCache(tmp_path / "cache", "digest")
    result = detector.detect(folder / "evil.mp4")
    cache.put(replace(result, detection=result.detection.model_copy(update={"code": code})))
    assert (cache.get(result.detection.sha256, "x") is not None) == is_cached


def test_a_broken_cache_entry_is_ignored(detector: Detector, folder: Path, tmp_path: Path) -> None:
    cache = ResultCache(tmp_path / "cache", "digest")
    result = detector.detect(folder / "0.png")
    cache.put(result)
    for text in ("", "[]", '{"detection": {}, "features": ""}'):
        (cache.folder(result.detection.sha256) / "result.json").write_text(text)
        assert cache.get(result.detection.sha256, "x") is None


def test_a_second_run_loads_no_detector(champion: str, folder: Path, settings: Settings) -> None:
    paths = sorted(folder.iterdir())
    first_batch, first = _score(settings, paths)
    assert _is_loaded(first_batch)
    second_batch, second = _score(settings, paths)
    assert not _is_loaded(second_batch)
    assert [item.file.source for item in first] == [item.file.source for item in second] == paths
    assert [item.result.detection for item in first] == [item.result.detection for item in second]
    assert [item.is_cached for item in first + second] == [False] * 5 + [True] * 5
    assert all(item.result.detection.model == champion for item in second)
    assert _attempts(settings) == {}


def test_a_stopped_run_resumes_where_it_stopped(champion: str, folder: Path, settings: Settings) -> None:
    paths = sorted(folder.iterdir())
    items = _open(settings).score_files([BatchFile.from_path(path) for path in paths])
    first = [next(items), next(items)]
    items.close()  # type: ignore[attr-defined]
    assert _attempts(settings) == {}  # a stop is not the fault of the files that were decoded ahead
    _, rest = _score(settings, paths)
    assert [item.is_cached for item in rest[:2]] == [True, True]
    assert not rest[-1].is_cached
    assert [item.result.detection for item in rest[:2]] == [item.result.detection for item in first]


def test_without_the_cache_files_are_scored_again_and_changed_bytes_are_another_file(
    champion: str, folder: Path, settings: Settings
) -> None:
    paths = [folder / "0.png"]
    _score(settings, paths)
    assert not _score(settings, paths, use_cache=False)[1][0].is_cached
    shutil.copy(folder / "1.png", paths[0])
    item = _score(settings, paths)[1][0]
    assert not item.is_cached


def test_missing_sprites_are_drawn(champion: str, folder: Path, settings: Settings) -> None:
    paths = [folder / "clip.mp4", folder / "evil.mp4"]
    plain, _ = _score(settings, paths)[1]
    assert plain.result.detection.tiles is None
    assert plain.read_sprites() is None
    for is_cached in ([False, True], [True, True]):
        clip, evil = _score(settings, paths, with_sprites=True)[1]
        assert [clip.is_cached, evil.is_cached] == is_cached
        assert clip.result.detection.tiles is not None
        assert clip.read_sprites() is not None
    assert clip.folder is not None
    (clip.folder / FRAMES_SPRITE).unlink()
    assert not _score(settings, paths, with_sprites=True)[1][0].is_cached


def test_a_full_disk_does_not_prevent_results(champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ResultCache, result: DetectionResult) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ResultCache, "put", fail)
    batch, items = _score(settings, [folder / "0.png"])
    assert items[0].result.detection.probability is not None
    assert "No space left" in batch.storage_error


@pytest.mark.parametrize("method", ["decode", "score"])
def test_a_defect_at_one_file_does_not_affect_the_others(
    champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    real: Callable[..., Any] = getattr(Detector, method)

    def fail(self: Detector, subject: Path | DecodedFile, *more: Any) -> Any:
        if Path(subject.name).name == "1.png" and not (method == "score" and isinstance(subject.frames, MediaError)):  # type: ignore[union-attr]
            raise RuntimeError("a library gave up")
        return real(self, subject, *more)

    monkeypatch.setattr(Detector, method, fail)
    _, items = _score(settings, [folder / "0.png", folder / "1.png", folder / "10.png"])
    assert [item.result.detection.code for item in items] == ["", "media.unusable", ""]
    assert [item.failure is None for item in items] == [True, False, True]
    assert "a library gave up" in items[1].result.detection.message
    assert items[1].result.detection.sha256 == compute_sha256(folder / "1.png")
    assert "Traceback" in caplog.text
    assert not _score(settings, [folder / "1.png"])[1][0].is_cached


def test_a_file_at_which_the_detector_always_fails_is_given_up(
    champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Detector, path: Path, *more: Any) -> Any:
        raise RuntimeError("a library gave up")

    with monkeypatch.context() as patch:
        patch.setattr(Detector, "decode", fail)
        codes = [_score(settings, [folder / "1.png"])[1][0].result.detection.code for _ in range(MAX_ATTEMPTS + 2)]
    assert codes == ["media.unusable"] * MAX_ATTEMPTS + ["media.detector-crash"] * 2
    assert _attempts(settings) == {}
    assert _score(settings, [folder / "1.png"])[1][0].is_cached
    assert _score(settings, [folder / "1.png"], use_cache=False)[1][0].result.detection.code == ""


def test_an_error_of_the_machine_ends_the_run_and_is_no_attempt_at_the_file(
    champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Detector, path: Path, *more: Any) -> Any:
        raise SetupError("ffmpeg", "is not installed")

    monkeypatch.setattr(Detector, "decode", fail)
    with pytest.raises(SetupError):
        _score(settings, [folder / "1.png"])
    assert _attempts(settings) == {}


def test_a_file_that_ends_the_process_is_given_up_and_no_other_file_is(champion: str, folder: Path, settings: Settings) -> None:
    digests = {path.name: compute_sha256(path) for path in folder.iterdir()}
    environment = os.environ | {"REALFRAME_WORKERS": "4", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with ForkedRuns(CRASH_AT_A_FILE, SCORE_THE_FOLDER, cwd=folder.parent, env=environment) as runs:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            assert runs.run().status == 9
            assert _attempts(settings)[digests["clip.mp4"]] == attempt
        last = runs.run()
    assert last.status == 0
    codes = dict.fromkeys(digests, "") | {"clip.mp4": "media.detector-crash", "evil.mp4": "media.not-media"}
    assert dict(line.partition(" ")[::2] for line in last.lines) == codes
    assert _attempts(settings) == {}
    assert _score(settings, [folder / "clip.mp4"])[1][0].is_cached


def test_a_suspect_file_is_scored_alone(champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(folder.iterdir())
    batch = _open(settings)
    assert isinstance(batch._attempts, CrashCounter)
    batch._attempts.set(compute_sha256(folder / "10.png"), 1)
    in_work: list[list[str]] = []
    real = Detector.decode

    def decode(self: Detector, path: Path, *more: Any) -> Any:
        if path.name == "10.png":
            in_work.append(sorted(_attempts(settings)))
        return real(self, path, *more)

    monkeypatch.setattr(Detector, "decode", decode)
    items = list(batch.score_files([BatchFile.from_path(path) for path in paths]))
    assert in_work == [[compute_sha256(folder / "10.png")]]
    assert [item.file.source for item in items] == paths
    assert _attempts(settings) == {}


def test_attempts_that_the_store_counts(detector: Detector, folder: Path) -> None:
    file = BatchFile("a name", folder / "0.png")
    for attempts, code in ((0, ""), (MAX_ATTEMPTS - 1, ""), (MAX_ATTEMPTS, "media.detector-crash")):
        (item,) = BatchDetector(lambda: detector, RecordedAttempts(attempts)).score_files([file])
        assert item.result.detection.code == code
        assert item.result.detection.sha256 == compute_sha256(folder / "0.png")
    assert item.result.detection.message.startswith(
        f"a name: cannot be scored: the detector failed or crashed on it in {MAX_ATTEMPTS} attempts"
    )


def test_a_remote_file_is_fetched_and_its_result_is_cached_by_its_content(champion: str, folder: Path, settings: Settings) -> None:
    def fetch(limit: int) -> AbstractContextManager[Path]:
        if limit < (folder / "0.png").stat().st_size:
            raise LimitExceededError("0.png", "is too large")
        return nullcontext(folder / "0.png")

    def refuse(limit: int) -> AbstractContextManager[Path]:
        raise LimitExceededError("box/big.png", "is too large")

    sources = {"0.png": RemoteFile("1", fetch), "again.png": RemoteFile("2", fetch), "big": RemoteFile("3", refuse)}
    files = [BatchFile(name, source) for name, source in sources.items()]
    list(_open(settings).score_files(files[:1]))
    first, again, big = _open(settings).score_files(files)
    assert (first.is_cached, again.is_cached, again.result.detection.file) == (True, True, "again.png")
    assert (big.result.detection.code, big.result.detection.message) == ("media.limit-exceeded", "big: is too large")
    assert _attempts(settings) == {}


def test_the_crash_counter_forgets_and_survives_nonsense(tmp_path: Path) -> None:
    counter = CrashCounter(tmp_path / "attempts")
    assert counter.get("a") == 0
    counter.set("a", 2)
    assert CrashCounter(tmp_path / "attempts").get("a") == 2
    counter.set("a", 0)
    counter.set("a", 0)
    assert counter.get("a") == 0
    (tmp_path / "attempts" / "b").write_text("")
    assert counter.get("b") == 0
