"""Workers as processes: killed at a file, told to leave at a file, and a store that goes away under them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from realframe.errors import MetadataError
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord
from realframe.store.embedded_server import ADDRESS
from realframe.worker.store_connection import StoreConnection
from tests.worker.desk import Desk, eventually, write_clip


@contextmanager
def worker() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "realframe.worker", "--threads", "1", "--with-parent"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    ) as process:
        yield process
        process.kill()


def test_a_killed_workers_file_is_anothers_and_who_is_told_to_leave_gives_back(three_versions: Path, desk: Desk, tmp_path: Path) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    film = write_clip(tmp_path / "film.mp4", seconds=10, size="1280x720", rate=25)
    with worker() as one, worker() as other:
        killed = desk.hand_in(film)
        busy = eventually(lambda: (record := desk.record(killed)).progress.step in ("probing", "decoding", "scoring") and record.worker)
        first, second = (one, other) if f"-{one.pid}-" in busy else (other, one)
        first.kill()
        assert first.wait() == -signal.SIGKILL
        assert desk.record(killed).state == "running"
        desk.store.change(DetectionRecord, killed, {"claimed_until": "2026-01-01T00:00:00.000+00:00"})  # half a minute passes
        done = eventually(lambda: (record := desk.record(killed)).state == "done" and record)
        assert (done.model, done.attempts, f"-{second.pid}-" in done.worker) == ("1", 2, True)

        left = desk.hand_in(film)
        eventually(lambda: desk.record(left).state == "running")
        began = time.monotonic()
        assert second.stdin
        second.stdin.close()  # as when the process that started it dies
        assert second.wait(15) == 0
        assert time.monotonic() - began < 12
        given_back = desk.record(left)
        assert (given_back.state, given_back.attempts, given_back.worker) == ("queued", 0, "")
        assert second.stderr
        lines = [json.loads(line) for line in second.stderr.read().splitlines()]
    assert {line["message"] for line in lines} == {"worker begins", "version 1 is loaded", "answered", "worker leaves"}
    assert [line["detection_id"] for line in lines if line["message"] == "answered"] == [killed]


def test_a_store_that_was_killed_is_opened_again(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, home=tmp_path / "state", MONGODB_URI=None)
    with StoreConnection(settings, threading.Event()) as door:
        door.once(lambda store: store.upsert([]))
        server = json.loads((settings.state / "metadata" / ADDRESS).read_text())["pid"]
        os.kill(server, signal.SIGKILL)
        assert door.insist(lambda store: store.keys(DetectionRecord)) == set()


def test_a_store_that_stays_away_is_not_waited_for_by_who_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.store.repository._TIMEOUT_MS", 100)
    told = threading.Event()
    threading.Timer(1.5, told.set).start()
    with StoreConnection(Settings(root=tmp_path, MONGODB_URI="mongodb://127.0.0.1:9/"), told) as door, pytest.raises(MetadataError):
        door.insist(lambda store: store.keys(DetectionRecord))
    assert told.is_set()
