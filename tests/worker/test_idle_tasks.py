"""The tasks of an idle worker: scoring with the challenger, and removing old files."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from realframe.detection.detector import Detector
from realframe.governance import gate, gate_results, ledger, review_summary
from realframe.governance.gate_results import GateInputs
from realframe.governance.gate_rules import RuleResult
from realframe.governance.paired_predictions import VersionScorer
from realframe.registry import model_registry
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.user_documents import Prediction
from realframe.worker.idle_tasks import remove_expired_files
from tests.worker.uploads import TestWorker, Uploads, wait_until


@pytest.fixture(autouse=True)
def frequent_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll the registry more often."""
    monkeypatch.setattr("realframe.worker.model_manager._POLL_INTERVAL_S", 0.3)


def wait_for_challenger(worker: TestWorker, uploads: Uploads, detection_id: str) -> DetectionRecord:
    worker.run_until_idle()
    return wait_until(lambda: (worker.loop.run_next() or True) and (record := uploads.record(detection_id)).shadow != "waiting" and record)


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")


def test_the_challenger_scores_finished_uploads_and_their_results_stay(worker: TestWorker, uploads: Uploads, clip: Path) -> None:
    wait_until(lambda: worker.models.has_challenger)
    first, second = uploads.add(clip), uploads.add_photo()
    worker.run_until_idle()
    assert {uploads.record(one).shadow for one in (first, second)} == {"waiting"}
    finished = uploads.record(first)
    later = wait_for_challenger(worker, uploads, first)
    assert later == finished.model_copy(update={"shadow": "done"})
    wait_for_challenger(worker, uploads, second)
    assert sorted(prediction.model for prediction in uploads.store.find(Prediction)) == [1, 1, 3, 3]
    assert review_summary.compare_shadow(uploads.store, challenger=3, champion=1).scored == 2


def test_a_queued_upload_comes_before_the_challenger(worker: TestWorker, uploads: Uploads) -> None:
    first = uploads.add_photo(state="done", shadow="waiting")
    wait_until(lambda: worker.models.has_challenger and (worker.models.request_challenger() is not None))
    second = uploads.add_photo()
    worker.loop.run_next()
    assert (uploads.record(second).state, uploads.record(first).shadow) == ("done", "waiting")
    assert wait_for_challenger(worker, uploads, first).shadow == "done"


def test_without_a_challenger_no_upload_waits_for_it(worker: TestWorker, uploads: Uploads) -> None:
    wait_until(lambda: worker.models.has_challenger)
    waiting = uploads.add_photo(state="done", shadow="waiting")
    model_registry.delete_alias(model_registry.CHALLENGER)
    wait_until(lambda: not worker.models.has_challenger)
    finished = uploads.add_photo()
    worker.run_until_idle()
    assert (uploads.record(waiting).shadow, uploads.record(finished).shadow) == ("done", "")
    assert [prediction.model for prediction in uploads.store.find(Prediction)] == [1]


def test_the_challenger_scores_a_file_only_once_even_if_it_fails(
    worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    wait_until(lambda: worker.models.has_challenger and worker.models.request_challenger())
    monkeypatch.setattr(Detector, "decode", fail)
    fatal = uploads.add_photo(state="done", shadow="waiting")
    worker.run_until_idle()
    assert uploads.record(fatal).shadow == "done"
    assert uploads.store.find_keys(Prediction) == set()


def test_an_idle_challenger_is_unloaded(worker: TestWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_until(lambda: worker.models.request_challenger() is not None)
    monkeypatch.setattr("realframe.worker.model_manager._CHALLENGER_IDLE_S", 0.0)
    wait_until(lambda: worker.models._challenger.detector is None, 10)


def test_an_idle_worker_records_a_change_by_hand_and_computes_the_gate(worker: TestWorker, uploads: Uploads) -> None:
    assert gate_results.find_gate_result(3, uploads.store) is None
    worker.run_until_idle()
    assert [entry.action for entry in ledger.list_entries(uploads.store)] == ["alias_set"]  # the fixture set the alias
    result = gate_results.find_gate_result(3, uploads.store)
    assert result and (result.version, result.champion) == (3, 1)
    worker.run_until_idle()
    assert gate_results.find_gate_result(3, uploads.store) == result


def test_the_gate_is_computed_without_a_champion(worker_without_champion: TestWorker, uploads: Uploads) -> None:
    worker_without_champion.run_until_idle()
    result = gate_results.find_gate_result(3, uploads.store)
    assert result and result.champion is None


def score_one_item(worker: TestWorker, monkeypatch: pytest.MonkeyPatch, before_item: Callable[[], object]) -> list[str]:
    """Let the gate report one item, as where the champion scores the challenger's test items; return the attempts."""
    check_rules, attempts = gate._check_rules, []

    def check_with_an_item(inputs: GateInputs, scorer: VersionScorer) -> list[RuleResult]:
        attempts.append(scorer.load_detector(1).version)
        before_item()
        scorer.on_progress("scoring", 0, 1)
        return check_rules(inputs, scorer)

    monkeypatch.setattr(gate, "_check_rules", check_with_an_item)
    return attempts


def test_a_queued_upload_comes_before_the_gate(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []
    attempts = score_one_item(worker, monkeypatch, lambda: ids or ids.append(uploads.add_photo()))
    assert worker.loop.run_next() and len(attempts) == 1
    assert gate_results.find_gate_result(3, uploads.store) is None
    worker.run_until_idle()
    assert uploads.record(ids[0]).state == "done"
    wait_until(lambda: (worker.loop.run_next() or True) and gate_results.find_gate_result(3, uploads.store))
    assert attempts == ["1", "1"]


def test_a_gate_that_ends_the_worker_is_given_up(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    class ProcessEndedError(BaseException):
        """The process ends, as at a crash of a library."""

    def end_process() -> None:
        raise ProcessEndedError

    attempts = score_one_item(worker, monkeypatch, end_process)
    monkeypatch.setattr("realframe.worker.idle_tasks._REVIEW_INTERVAL_S", 0.0)
    for _ in range(3):
        with pytest.raises(ProcessEndedError):
            worker.loop.run_next()
    worker.loop.run_next()
    assert len(attempts) == 3


def test_expired_files_are_removed_and_their_results_stay(worker: TestWorker, uploads: Uploads) -> None:
    uploads.settings.uploads_dir.mkdir(parents=True, exist_ok=True)
    old, young = uploads.add_photo(state="done", created=days_ago(31)), uploads.add_photo(state="done", created=days_ago(29))
    waiting = uploads.add_photo(state="running", worker="busy", claimed_until="2999", created=days_ago(40))
    orphan = uploads.settings.uploads_dir / upload_queue.create_detection_id()
    orphan.mkdir()
    (orphan / "media").write_bytes(b"x")
    os.utime(orphan, (time.time() - 2 * 86400,) * 2)
    arriving = uploads.settings.uploads_dir / upload_queue.create_detection_id()
    arriving.mkdir()
    worker.run_until_idle()
    assert {folder.name for folder in uploads.settings.uploads_dir.iterdir()} == {young, waiting, arriving.name}
    assert {one: uploads.record(one).has_files for one in (old, young, waiting)} == {old: False, young: True, waiting: True}
    assert uploads.record(old).state == "done"


def test_the_cleanup_stops_for_a_queued_upload(worker: TestWorker, uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [uploads.add_photo(state="done", created=days_ago(31)) for _ in range(3)]
    assert worker.loop._idle_tasks.prepare_review()  # comes before the cleanup
    monkeypatch.setattr("realframe.store.upload_queue.is_empty", lambda _: False)
    assert worker.loop.run_next()
    assert sum(uploads.record(one).has_files for one in old) == 2


def test_keep_days_0_removes_nothing(uploads: Uploads) -> None:
    old = uploads.add_photo(state="done", created=days_ago(4000))
    assert list(remove_expired_files(uploads.store, uploads.settings.model_copy(update={"keep_days": 0}))) == []
    assert uploads.folder(old).exists()
