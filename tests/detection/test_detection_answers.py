"""Answers are kept by the content of the file: a stopped job goes on where it was, and nothing that may change is kept."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realframe import artifacts
from realframe.detection.batch import BatchDetector, BatchItem
from realframe.detection.detector import Detector
from realframe.detection.result import FRAMES, DetectionResult
from realframe.detection.result_cache import ResultCache
from realframe.registry import model_registry
from realframe.settings import Settings


@pytest.fixture(scope="module")
def detector(evaluated: Any) -> Detector:
    return Detector.load(str(evaluated.folder))


@pytest.fixture
def champion(evaluated: Any, empty_registry: Path) -> str:
    version = model_registry.register_folder(evaluated.folder, commit="c" * 40)
    model_registry.set_alias(model_registry.CHAMPION, version)
    return str(version)


@pytest.fixture
def folder(evaluated: Any, tmp_path: Path) -> Path:
    """Three images, a clip, and a file that is none."""
    (tmp_path / "in").mkdir()
    for name in ("real/0.png", "fake/1.png", "real/10.png", "real/clip.mp4"):
        shutil.copy2(evaluated.folder / artifacts.RAW / name, tmp_path / "in" / Path(name).name)
    (tmp_path / "in" / "evil.mp4").write_text("no film")
    return tmp_path / "in"


def _each(settings: Settings, files: list[Path], **options: bool) -> tuple[BatchDetector, list[BatchItem]]:
    answering = BatchDetector("champion", settings, settings.root / "workspace")
    return answering, list(answering.each(files, **({"pictures": False, "anew": False} | options)))


def _loaded(answering: BatchDetector) -> bool:
    return "detector" in vars(answering)


def test_an_answer_comes_back_under_the_files_new_name(detector: Detector, folder: Path, tmp_path: Path) -> None:
    answers = ResultCache(tmp_path / "cache", ("model", "evidence"))
    for name in ("0.png", "evil.mp4"):
        found = detector.detect(folder / name, name)
        answers.keep(found)
        back = answers.find(found.detection.sha256, "<b>other</b>")
        assert back is not None
        message = found.detection.message.replace(name, "<b>other</b>")
        assert back.detection == found.detection.model_copy(update={"file": "<b>other</b>", "message": message})
        assert (back.features is None) == (found.features is None)
        if back.features is not None and found.features is not None:
            assert np.allclose(back.features, found.features, rtol=1e-3, atol=1e-3 * np.abs(found.features).max())
    assert ResultCache(tmp_path / "cache", ("model", "other")).find(found.detection.sha256, "x") is None


@pytest.mark.parametrize(("code", "kept"), [("media.undecodable", True), ("media.over-limit", False), ("media.unreadable", False)])
def test_a_fault_that_may_pass_is_not_kept(detector: Detector, folder: Path, tmp_path: Path, code: str, kept: bool) -> None:
    answers = ResultCache(tmp_path / "cache", ("model", "evidence"))
    found = detector.detect(folder / "evil.mp4")
    answers.keep(replace(found, detection=found.detection.model_copy(update={"code": code})))
    assert (answers.find(found.detection.sha256, "x") is not None) == kept


def test_a_kept_answer_that_is_broken_is_none(detector: Detector, folder: Path, tmp_path: Path) -> None:
    answers = ResultCache(tmp_path / "cache", ("model", "evidence"))
    found = detector.detect(folder / "0.png")
    answers.keep(found)
    for text in ("", "[]", '{"detection": {}, "features": ""}'):
        (answers.folder(found.detection.sha256) / "answer.json").write_text(text)
        assert answers.find(found.detection.sha256, "x") is None


def test_a_second_run_loads_no_detector(champion: str, folder: Path, settings: Settings) -> None:
    files = sorted(folder.iterdir())
    first_run, first = _each(settings, files)
    assert _loaded(first_run)
    second_run, second = _each(settings, files)
    assert not _loaded(second_run)
    assert [given.file for given in first] == [given.file for given in second] == files
    assert [given.answer.detection for given in first] == [given.answer.detection for given in second]
    assert [given.kept for given in first + second] == [False] * 5 + [True] * 5
    assert all(given.answer.detection.model == champion for given in second)


def test_a_stopped_run_goes_on_where_it_was(champion: str, folder: Path, settings: Settings) -> None:
    files = sorted(folder.iterdir())
    answers = BatchDetector("champion", settings, settings.root).each(files, pictures=False, anew=False)
    first = [next(answers), next(answers)]
    answers.close()  # type: ignore[attr-defined]
    _, rest = _each(settings, files)
    assert [given.kept for given in rest[:2]] == [True, True]
    assert not rest[-1].kept
    assert [given.answer.detection for given in rest[:2]] == [given.answer.detection for given in first]


def test_anew_scores_again_and_changed_bytes_are_another_file(champion: str, folder: Path, settings: Settings) -> None:
    files = [folder / "0.png"]
    _each(settings, files)
    assert not _each(settings, files, anew=True)[1][0].kept
    shutil.copy(folder / "1.png", files[0])
    given = _each(settings, files)[1][0]
    assert not given.kept


def test_pictures_are_drawn_where_they_are_missing(champion: str, folder: Path, settings: Settings) -> None:
    files = [folder / "clip.mp4", folder / "evil.mp4"]
    plain, _ = _each(settings, files)[1]
    assert plain.answer.detection.tiles is None
    for kept in ([False, True], [True, True]):
        clip, evil = _each(settings, files, pictures=True)[1]
        assert [clip.kept, evil.kept] == kept
        assert clip.answer.detection.tiles is not None
        assert (clip.folder / FRAMES).exists()
    (clip.folder / FRAMES).unlink()
    assert not _each(settings, files, pictures=True)[1][0].kept


def test_a_full_disk_takes_no_answer_away(champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ResultCache, answer: DetectionResult) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ResultCache, "keep", full)
    answering, answers = _each(settings, [folder / "0.png"])
    assert answers[0].answer.detection.probability is not None
    assert "No space left" in answering.unkept


def test_a_defect_at_one_file_costs_the_others_nothing(
    champion: str, folder: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    look = Detector.look

    def fails(self: Detector, path: Path) -> Any:
        if path.name == "1.png":
            raise RuntimeError("a library gave up")
        return look(self, path)

    monkeypatch.setattr(Detector, "look", fails)
    _, answers = _each(settings, [folder / "0.png", folder / "1.png", folder / "10.png"])
    assert [given.answer.detection.code for given in answers] == ["", "media.unusable", ""]
    assert "a library gave up" in answers[1].answer.detection.message
    assert "Traceback" in caplog.text
    assert not _each(settings, [folder / "1.png"])[1][0].kept
