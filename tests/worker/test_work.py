"""The worker, with small real models: answers, pictures, predictions; files that are deleted, broken or deadly; a champion that changes."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from realframe.detection.detector import Detector
from realframe.detection.progress import ProgressCallback, no_progress
from realframe.detection.result import DetectionResult
from realframe.registry import model_registry
from realframe.store import worker_status
from realframe.store.detection_documents import DetectionRecord, Progress
from realframe.store.user_documents import Prediction
from realframe.worker.heartbeat import Heartbeat, LostError
from tests.worker.desk import Bench, Desk, eventually

LONG_AGO = "2026-01-01T00:00:00.000+00:00"
Detect = Callable[[Detector, Path, str, ProgressCallback], DetectionResult]


def instead(monkeypatch: pytest.MonkeyPatch, do: Callable[[Detect, Detector, Path, str, ProgressCallback], DetectionResult]) -> None:
    """Let ``do`` stand in for the detector; it is given the real one."""
    real = Detector.detect

    def detect(self: Detector, path: Path, name: str = "", report: ProgressCallback = no_progress) -> DetectionResult:
        return do(real, self, path, name, report)

    monkeypatch.setattr(Detector, "detect", detect)


def test_files_are_answered_with_pictures_and_remembered(ready: Bench, desk: Desk, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    video, photo, page = desk.hand_in(clip, file="<b>\u202egnp.exe"), desk.photo(), desk.hand_in(tmp_path / "page.mp4")
    ready.until_idle()
    for detection_id in (video, photo):
        record = desk.record(detection_id)
        assert record.answer
        assert (record.state, record.progress.step, record.attempts, record.claimed_until) == ("done", "done", 1, "")
        assert (record.verdict, record.model, record.answer.model) == (record.answer.verdict, "1", "1")
        assert record.answer.tiles and record.answer.seconds["explaining"] > 0
        assert {file.name for file in desk.folder(detection_id).iterdir()} == {"media", "frames.jpg", "heat.jpg"}
        assert desk.store.get(Prediction, f"1-{record.answer.sha256}")
    assert desk.record(video).answer.file == "<b>\u202egnp.exe"  # type: ignore[union-attr]
    refused = desk.record(page)
    assert refused.answer and (refused.verdict, refused.answer.code, refused.shadow) == ("not scored", "media.not-media", "")
    assert not ready.work.step()


def test_without_a_champion_files_wait_and_the_worker_says_why(bench: Bench, desk: Desk) -> None:
    waiting = desk.photo()
    [beat] = eventually(lambda: [said for said in worker_status.alive(desk.store) if said.problem])
    assert (beat.model, "realframe registry approve" in beat.problem) == ("", True)
    assert not bench.work.step()
    assert desk.record(waiting).state == "queued"
    model_registry.set_alias(model_registry.CHAMPION, 2)
    eventually(bench.work.step, 30)
    assert desk.record(waiting).model == "2"
    eventually(lambda: [said.model for said in worker_status.alive(desk.store)] == ["2"])


def test_a_new_champion_takes_over_within_ten_seconds_and_no_file_is_dropped(ready: Bench, desk: Desk) -> None:
    working = threading.Thread(target=ready.work.run)
    working.start()
    try:
        before = desk.photo()
        eventually(lambda: desk.record(before).model)
        model_registry.set_alias(model_registry.CHAMPION, 2)
        changed, handed_in = time.monotonic(), [desk.photo()]
        while desk.record(handed_in[-1]).model != "2":
            assert time.monotonic() - changed < 10
            handed_in.append(desk.photo())
            eventually(lambda: desk.record(handed_in[-1]).model, 10)
        answered = [desk.record(detection_id).model for detection_id in handed_in]
        assert answered == sorted(answered)
        assert set(answered) <= {"1", "2"}
        model_registry.drop_alias(model_registry.CHAMPION)
        eventually(lambda: ready.warm.champion is None, 10)
        waiting = desk.photo()
        time.sleep(0.6)
        assert desk.record(waiting).state == "queued"
        model_registry.set_alias(model_registry.CHAMPION, 1)
        eventually(lambda: desk.record(waiting).model == "1", 20)
    finally:
        ready.ending.told.set()
        working.join()


def test_a_champion_that_was_changed_on_disk_answers_nothing(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.detection.loaded_model.sha256_of", lambda _: "0" * 64)
    model_registry.set_alias(model_registry.CHAMPION, 2)
    eventually(lambda: ready.warm.champion is None, 15)
    assert "not the one that was registered" in ready.warm.problem
    waiting = desk.photo()
    assert not ready.work.step()
    assert desk.record(waiting).state == "queued"


def test_a_registry_that_is_away_leaves_the_champion_at_work(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: str) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(model_registry, "named", away)
    eventually(lambda: "nobody answers" in ready.warm.problem, 15)
    answered = desk.photo()
    ready.until_idle()
    assert desk.record(answered).model == "1"


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_deleted_while_it_is_scored_leaves_nothing(
    ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch, clip: Path, when: str
) -> None:
    def delete(real: Detect, detector: Detector, path: Path, name: str, report: ProgressCallback) -> DetectionResult:
        found = real(detector, path, name, report) if when == "after" else None
        desk.store.delete(DetectionRecord, [path.parent.name])
        shutil.rmtree(path.parent)
        return found or real(detector, path, name, report)

    instead(monkeypatch, delete)
    deleted = desk.hand_in(clip)
    ready.until_idle()
    assert not desk.folder(deleted).exists()
    assert desk.store.keys(DetectionRecord) == set()
    assert desk.store.keys(Prediction) == set()


def test_what_is_deleted_is_scored_no_further(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def slowly(_: Detect, detector: Detector, path: Path, name: str, report: ProgressCallback) -> DetectionResult:
        desk.store.delete(DetectionRecord, [path.parent.name])
        try:
            for frame in range(200):
                report(Progress(step="decoding", count=frame, of=200))
                time.sleep(0.05)
        except LostError:
            stopped.set()
            raise
        raise AssertionError("it goes on with what is not there")

    instead(monkeypatch, slowly)
    deleted = desk.photo()
    ready.until_idle()
    assert stopped.is_set()
    assert not desk.folder(deleted).exists()


def test_a_claim_is_kept_while_a_step_takes_long_and_progress_is_told(
    ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    monkeypatch.setattr("realframe.worker.heartbeat._BEAT_S", 0.5)
    seen: set[str] = set()

    def slowly(real: Detect, detector: Detector, path: Path, name: str, report: ProgressCallback) -> DetectionResult:
        def watched(progress: object) -> None:
            report(progress)  # type: ignore[arg-type]
            time.sleep(0.3)
            seen.add(desk.record(path.parent.name).progress.step)

        first = desk.record(path.parent.name).claimed_until
        eventually(lambda: desk.record(path.parent.name).claimed_until > first, 10)
        return real(detector, path, name, watched)

    instead(monkeypatch, slowly)
    desk.hand_in(clip)
    ready.until_idle()
    assert {"probing", "scoring"} <= seen


def test_a_file_at_which_workers_end_is_told_after_three_attempts(ready: Bench, desk: Desk) -> None:
    deadly = desk.photo(state="running", worker="dead", attempts=3, claimed_until=LONG_AGO)
    ready.until_idle()
    record = desk.record(deadly)
    assert record.answer
    assert (record.state, record.verdict, record.answer.code) == ("done", "not scored", "media.crashes")
    assert "photo.jpg: could not be scored: 3 times" in record.answer.message
    assert (record.attempts, len(record.answer.sha256)) == (4, 64)


def test_a_defect_at_one_file_costs_that_file(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(real: Detect, detector: Detector, path: Path, name: str, report: ProgressCallback) -> DetectionResult:
        if name == "bad.jpg":
            raise ZeroDivisionError
        return real(detector, path, name, report)

    instead(monkeypatch, fail)
    bad, good = desk.photo(file="bad.jpg"), desk.photo()
    ready.until_idle()
    assert desk.record(good).model == "1"
    told = desk.record(bad).answer
    assert told and told.code == "media.crashes"


def test_a_full_disk_costs_the_pictures_alone(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Detector, "explain", full)
    scored = desk.photo()
    ready.until_idle()
    told = desk.record(scored).answer
    assert told and told.probability is not None and told.tiles is None


def test_a_worker_that_hangs_ends_itself(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr("realframe.worker.heartbeat._LONGEST_S", 0.0)
    monkeypatch.setattr("realframe.worker.heartbeat.os._exit", lambda _: ended.set())

    def hang(real: Detect, detector: Detector, path: Path, name: str, report: ProgressCallback) -> DetectionResult:
        assert ended.wait(10)
        return real(detector, path, name, report)

    instead(monkeypatch, hang)
    desk.photo()
    ready.until_idle()
    assert ended.is_set()


def test_who_leaves_is_forgotten(ready: Bench, desk: Desk) -> None:
    eventually(lambda: worker_status.alive(desk.store))
    pulse: Heartbeat = ready.work._pulse
    pulse.__exit__(None, None, None)
    assert worker_status.alive(desk.store) == []
