"""The worker with small real models: results, sprites, predictions; deleted, broken and fatal files; a champion that changes."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from realframe.detection.detector import Detector
from realframe.detection.result import DecodedFile
from realframe.progress import ProgressCallback, no_progress
from realframe.registry import model_registry
from realframe.store import worker_status
from realframe.store.detection_documents import DetectionRecord
from realframe.store.user_documents import Prediction
from realframe.worker.heartbeat import ClaimLostError, Heartbeat
from tests.webhook_receiver import receive_events
from tests.worker.uploads import TestWorker, Uploads, wait_until

LONG_AGO = "2026-01-01T00:00:00.000+00:00"
Decode = Callable[[Detector, Path, str, ProgressCallback], DecodedFile]


def replace_decode(
    monkeypatch: pytest.MonkeyPatch, replacement: Callable[[Decode, Detector, Path, str, ProgressCallback], DecodedFile]
) -> None:
    """Replace ``Detector.decode``; the replacement also receives the real method."""
    real = Detector.decode

    def decode(self: Detector, path: Path, name: str = "", on_progress: ProgressCallback = no_progress, *_: object) -> DecodedFile:
        return replacement(real, self, path, name, on_progress)

    monkeypatch.setattr(Detector, "decode", decode)


def test_files_are_scored_with_sprites_and_predictions(worker: TestWorker, uploads: Uploads, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    video, photo, page = uploads.add(clip, file="<b>\u202egnp.exe"), uploads.add_photo(), uploads.add(tmp_path / "page.mp4")
    worker.run_until_idle()
    for detection_id in (video, photo):
        record = uploads.record(detection_id)
        assert record.result
        assert (record.state, record.progress.step, record.attempts, record.claimed_until) == ("done", "done", 1, "")
        assert (record.verdict, record.model, record.result.model) == (record.result.verdict, "1", "1")
        assert record.result.tiles and record.result.seconds["explaining"] > 0
        assert {file.name for file in uploads.folder(detection_id).iterdir()} == {"media", "frames.jpg", "heat.jpg"}
        assert uploads.store.get(Prediction, f"1-{record.result.sha256}")
    assert uploads.record(video).result.file == "<b>\u202egnp.exe"  # type: ignore[union-attr]
    refused = uploads.record(page)
    assert refused.result and (refused.verdict, refused.result.code, refused.shadow) == ("not scored", "media.not-media", "")
    assert not worker.loop.run_next()


def test_the_stability_of_live_files_is_measured_and_that_of_batches_is_not(
    worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = {}
    real = Detector.decode

    def decode(self: Detector, path: Path, name: str, on_progress: ProgressCallback, measures_stability: bool) -> DecodedFile:
        measured[name] = measures_stability
        return real(self, path, name, on_progress, measures_stability)

    monkeypatch.setattr(Detector, "decode", decode)
    uploads.add_photo(file="live.jpg")
    uploads.add_photo(file="batch.jpg", batch="0123456789abcdef", lane="batch", priority=1)
    worker.run_until_idle()
    assert measured == {"live.jpg": True, "batch.jpg": False}


def test_a_done_batch_sends_one_event(worker: TestWorker, uploads: Uploads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = "0123456789abcdef"
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    with receive_events() as receiver:
        monkeypatch.setattr(
            worker.loop, "_settings", uploads.settings.model_copy(update={"webhook_url": receiver.url, "webhook_secret": "key"})
        )
        uploads.add_photo()  # of no batch
        uploads.add_photo(batch=batch)
        uploads.add(tmp_path / "page.mp4", batch=batch)  # refused, and done
        worker.run_until_idle()
        wait_until(lambda: receiver.requests)
        assert receiver.events == [{"event": "batch.done", "batch": batch, "files": 2}]


def test_without_a_champion_files_wait_and_the_worker_says_why(worker_without_champion: TestWorker, uploads: Uploads) -> None:
    waiting = uploads.add_photo()
    [status] = wait_until(lambda: [status for status in worker_status.list_alive(uploads.store) if status.problem])
    assert (status.model, "realframe registry approve" in status.problem) == ("", True)
    worker_without_champion.run_until_idle()
    assert uploads.record(waiting).state == "queued"
    model_registry.set_alias(model_registry.CHAMPION, 2)
    wait_until(lambda: (worker_without_champion.loop.run_next() or True) and uploads.record(waiting).state == "done", 30)
    assert uploads.record(waiting).model == "2"
    wait_until(lambda: [status.model for status in worker_status.list_alive(uploads.store)] == ["2"])


def test_a_new_champion_takes_over_within_ten_seconds_and_no_file_is_dropped(worker: TestWorker, uploads: Uploads) -> None:
    working = threading.Thread(target=worker.loop.run)
    working.start()
    try:
        before = uploads.add_photo()
        wait_until(lambda: uploads.record(before).model)
        model_registry.set_alias(model_registry.CHAMPION, 2)
        changed, uploaded = time.monotonic(), [uploads.add_photo()]
        while uploads.record(uploaded[-1]).model != "2":
            assert time.monotonic() - changed < 10
            uploaded.append(uploads.add_photo())
            wait_until(lambda: uploads.record(uploaded[-1]).model, 10)
        finished = [uploads.record(detection_id).model for detection_id in uploaded]
        assert finished == sorted(finished)
        assert set(finished) <= {"1", "2"}
        model_registry.delete_alias(model_registry.CHAMPION)
        wait_until(lambda: worker.models.champion is None, 10)
        waiting = uploads.add_photo()
        time.sleep(0.6)
        assert uploads.record(waiting).state == "queued"
        model_registry.set_alias(model_registry.CHAMPION, 1)
        wait_until(lambda: uploads.record(waiting).model == "1", 20)
    finally:
        worker.shutdown.requested.set()
        working.join()


def test_a_champion_that_was_changed_on_disk_scores_nothing(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.registry.answer_bundle.compute_sha256", lambda _: "0" * 64)
    model_registry.set_alias(model_registry.CHAMPION, 2)
    wait_until(lambda: worker.models.champion is None, 15)
    assert "differs from the registered one" in worker.models.problem
    waiting = uploads.add_photo()
    worker.run_until_idle()
    assert uploads.record(waiting).state == "queued"


def test_without_the_registry_the_loaded_champion_continues(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise ConnectionError("no response")

    monkeypatch.setattr(model_registry, "resolve_version", fail)
    wait_until(lambda: "no response" in worker.models.problem, 15)
    finished = uploads.add_photo()
    worker.run_until_idle()
    assert uploads.record(finished).model == "1"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_record_that_is_deleted_while_it_is_scored_leaves_nothing(
    worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch, clip: Path, when: str
) -> None:
    def delete(real: Decode, detector: Detector, path: Path, name: str, on_progress: ProgressCallback) -> DecodedFile:
        decoded = real(detector, path, name, on_progress) if when == "after" else None
        uploads.store.delete(DetectionRecord, [path.parent.name])
        shutil.rmtree(path.parent)
        return decoded or real(detector, path, name, on_progress)

    replace_decode(monkeypatch, delete)
    deleted = uploads.add(clip)
    worker.run_until_idle()
    assert not uploads.folder(deleted).exists()
    assert uploads.store.find_keys(DetectionRecord) == set()
    assert uploads.store.find_keys(Prediction) == set()


def test_scoring_stops_when_the_record_is_deleted(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = threading.Event()

    def decode_slowly(_: Decode, detector: Detector, path: Path, name: str, on_progress: ProgressCallback) -> DecodedFile:
        uploads.store.delete(DetectionRecord, [path.parent.name])
        try:
            for frame in range(200):
                on_progress("decoding", frame, 200)
                time.sleep(0.05)
        except ClaimLostError:
            stopped.set()
            raise
        raise AssertionError("it continues with a deleted record")

    replace_decode(monkeypatch, decode_slowly)
    deleted = uploads.add_photo()
    worker.run_until_idle()
    assert stopped.is_set()
    assert not uploads.folder(deleted).exists()


def test_the_claim_is_renewed_during_a_long_step_and_progress_is_stored(
    worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch, clip: Path
) -> None:
    monkeypatch.setattr("realframe.worker.heartbeat._HEARTBEAT_INTERVAL_S", 0.5)
    seen: set[str] = set()

    def decode_slowly(real: Decode, detector: Detector, path: Path, name: str, on_progress: ProgressCallback) -> DecodedFile:
        def watched(step: str, done: int, total: int) -> None:
            on_progress(step, done, total)
            time.sleep(0.3)
            seen.add(uploads.record(path.parent.name).progress.step)

        first = uploads.record(path.parent.name).claimed_until
        wait_until(lambda: uploads.record(path.parent.name).claimed_until > first, 10)
        return real(detector, path, name, watched)

    replace_decode(monkeypatch, decode_slowly)
    uploads.add(clip)
    worker.run_until_idle()
    assert {"probing", "scoring"} <= seen


def test_a_file_that_ends_the_worker_is_given_up_after_three_attempts(worker: TestWorker, uploads: Uploads) -> None:
    fatal = uploads.add_photo(state="running", worker="dead", attempts=3, claimed_until=LONG_AGO)
    worker.run_until_idle()
    record = uploads.record(fatal)
    assert record.result
    assert (record.state, record.verdict, record.result.code) == ("done", "not scored", "media.detector-crash")
    assert "photo.jpg: cannot be scored: the detector failed or crashed on it in 3 attempts" in record.result.message
    assert (record.attempts, len(record.result.sha256)) == (4, 64)


def test_a_file_at_which_the_detector_fails_is_given_up_and_the_next_is_scored(
    worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(real: Decode, detector: Detector, path: Path, name: str, on_progress: ProgressCallback) -> DecodedFile:
        if name == "bad.jpg":
            raise ZeroDivisionError
        return real(detector, path, name, on_progress)

    replace_decode(monkeypatch, fail)
    bad, good = uploads.add_photo(file="bad.jpg"), uploads.add_photo()
    worker.run_until_idle()
    assert uploads.record(good).model == "1"
    result = uploads.record(bad).result
    assert result and result.code == "media.detector-crash"


def test_a_full_disk_prevents_only_the_sprites(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Detector, "explain", fail)
    scored = uploads.add_photo()
    worker.run_until_idle()
    result = uploads.record(scored).result
    assert result and result.probability is not None and result.tiles is None


def test_a_full_disk_costs_a_file_no_attempt(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("realframe.worker.worker_loop.DISK_FULL_PAUSE_S", 0.0)
    waiting = uploads.add_photo()
    with monkeypatch.context() as patch:
        patch.setattr(Detector, "decode", fail)
        for _ in range(5):
            assert worker.loop.run_next()
    record = uploads.record(waiting)
    assert (record.state, record.attempts) == ("queued", 0)
    worker.run_until_idle()
    assert uploads.record(waiting).state == "done"


def test_a_worker_that_stops_is_removed_from_the_store(worker: TestWorker, uploads: Uploads) -> None:
    wait_until(lambda: worker_status.list_alive(uploads.store))
    heartbeat: Heartbeat = worker.loop._heartbeat
    heartbeat.__exit__(None, None, None)
    assert worker_status.list_alive(uploads.store) == []
