"""What the worker does while nobody waits: the challenger's turn, and sweeping."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from realframe.detection.detector import Detector
from realframe.governance import review_summary
from realframe.registry import model_registry
from realframe.store import upload_queue
from realframe.store.detection_documents import DetectionRecord
from realframe.store.user_documents import Prediction
from realframe.worker.idle_tasks import removed
from tests.worker.desk import Bench, Desk, eventually


@pytest.fixture(autouse=True)
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry is looked at more often."""
    monkeypatch.setattr("realframe.worker.model_manager._LOOK_S", 0.3)


def in_the_shadow(bench: Bench, desk: Desk, detection_id: str) -> DetectionRecord:
    bench.until_idle()
    return eventually(lambda: (bench.work.step() or True) and (found := desk.record(detection_id)).shadow != "waiting" and found)


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")


def test_the_challenger_scores_what_was_answered_and_nobody_sees_it(ready: Bench, desk: Desk, clip: Path) -> None:
    eventually(lambda: ready.warm.challenged)
    first, second = desk.hand_in(clip), desk.photo()
    ready.until_idle()
    assert {desk.record(one).shadow for one in (first, second)} == {"waiting"}
    answered = desk.record(first)
    later = in_the_shadow(ready, desk, first)
    assert later == answered.model_copy(update={"shadow": "done"})
    in_the_shadow(ready, desk, second)
    assert sorted(prediction.model for prediction in desk.store.find(Prediction)) == [1, 1, 3, 3]
    assert review_summary.compare_shadow(desk.store, challenger=3, champion=1).scored == 2


def test_who_waits_comes_before_the_shadow(ready: Bench, desk: Desk) -> None:
    first = desk.photo(state="done", shadow="waiting")
    eventually(lambda: ready.warm.challenged and (ready.warm.challenger() is not None))
    second = desk.photo()
    ready.work.step()
    assert (desk.record(second).state, desk.record(first).shadow) == ("done", "waiting")
    assert in_the_shadow(ready, desk, first).shadow == "done"


def test_without_a_challenger_there_is_no_shadow(ready: Bench, desk: Desk) -> None:
    eventually(lambda: ready.warm.challenged)
    waiting = desk.photo(state="done", shadow="waiting")
    model_registry.drop_alias(model_registry.CHALLENGER)
    eventually(lambda: not ready.warm.challenged)
    answered = desk.photo()
    ready.until_idle()
    assert (desk.record(waiting).shadow, desk.record(answered).shadow) == ("done", "")
    assert [prediction.model for prediction in desk.store.find(Prediction)] == [1]


def test_a_file_that_the_challenger_fails_at_has_had_its_turn(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    eventually(lambda: ready.warm.challenged and ready.warm.challenger())
    monkeypatch.setattr(Detector, "detect", fail)
    deadly = desk.photo(state="done", shadow="waiting")
    ready.until_idle()
    assert desk.record(deadly).shadow == "done"
    assert desk.store.keys(Prediction) == set()


def test_a_challenger_of_whom_nothing_is_asked_is_let_go(ready: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    eventually(lambda: ready.warm.challenger() is not None)
    monkeypatch.setattr("realframe.worker.model_manager._UNUSED_S", 0.0)
    eventually(lambda: ready.warm._challenger.detector is None, 10)


def test_files_are_kept_for_so_long_and_their_answers_stay(ready: Bench, desk: Desk) -> None:
    desk.settings.uploads_dir.mkdir(parents=True)
    old, young = desk.photo(state="done", created=days_ago(31)), desk.photo(state="done", created=days_ago(29))
    waiting = desk.photo(state="running", worker="busy", claimed_until="2999", created=days_ago(40))
    lost = desk.settings.uploads_dir / upload_queue.new_id()
    lost.mkdir()
    (lost / "media").write_bytes(b"x")
    os.utime(lost, (time.time() - 2 * 86400,) * 2)
    arriving = desk.settings.uploads_dir / upload_queue.new_id()
    arriving.mkdir()
    ready.until_idle()
    assert {folder.name for folder in desk.settings.uploads_dir.iterdir()} == {young, waiting, arriving.name}
    assert {one: desk.record(one).media for one in (old, young, waiting)} == {old: False, young: True, waiting: True}
    assert desk.record(old).state == "done"


def test_sweeping_stops_for_who_waits(ready: Bench, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [desk.photo(state="done", created=days_ago(31)) for _ in range(3)]
    monkeypatch.setattr("realframe.store.upload_queue.idle", lambda _: False)
    assert ready.work.step()
    assert sum(desk.record(one).media for one in old) == 2


def test_nothing_is_removed_where_files_are_kept_for_ever(desk: Desk) -> None:
    old = desk.photo(state="done", created=days_ago(4000))
    assert list(removed(desk.store, desk.settings.model_copy(update={"keep_days": 0}))) == []
    assert desk.folder(old).exists()
