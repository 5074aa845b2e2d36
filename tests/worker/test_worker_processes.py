"""Worker processes that are killed or shut down at a file, and a store that goes away."""

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
from realframe.store.embedded_server import ADDRESS_FILE
from realframe.worker.store_connection import StoreConnection
from tests.worker.uploads import Uploads, wait_until, write_clip


@contextmanager
def start_worker() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "realframe.worker", "--threads", "1", "--with-parent"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    ) as process:
        yield process
        process.kill()


def test_another_worker_scores_the_file_of_a_killed_worker_and_a_shutdown_releases_the_file(
    three_versions: Path, uploads: Uploads, tmp_path: Path
) -> None:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    film = write_clip(tmp_path / "film.mp4", seconds=10, size="1280x720", rate=25)
    with start_worker() as one, start_worker() as other:
        killed = uploads.add(film)
        busy = wait_until(lambda: (record := uploads.record(killed)).progress.step in ("probing", "decoding", "scoring") and record.worker)
        first, second = (one, other) if f"-{one.pid}-" in busy else (other, one)
        first.kill()
        assert first.wait() == -signal.SIGKILL
        assert uploads.record(killed).state == "running"
        uploads.store.update(DetectionRecord, killed, {"claimed_until": "2026-01-01T00:00:00.000+00:00"})  # half a minute passes
        done = wait_until(lambda: (record := uploads.record(killed)).state == "done" and record)
        assert (done.model, done.attempts, f"-{second.pid}-" in done.worker) == ("1", 2, True)

        left = uploads.add(film)
        wait_until(lambda: uploads.record(left).state == "running")
        began = time.monotonic()
        assert second.stdin
        second.stdin.close()  # as when the process that started it dies
        assert second.wait(15) == 0
        assert time.monotonic() - began < 12
        released = uploads.record(left)
        assert (released.state, released.attempts, released.worker) == ("queued", 0, "")
        assert second.stderr
        lines = [json.loads(line) for line in second.stderr.read().splitlines()]
    # an idle worker may also have had time for its other work: ledger entries and gates
    assert {"worker started", "version 1 is loaded", "file scored", "worker stops"} <= {line["message"] for line in lines}
    assert not {line["level"] for line in lines} & {"error", "critical"}
    assert [line["detection_id"] for line in lines if line["message"] == "file scored"] == [killed]


def test_the_connection_reopens_a_store_that_was_killed(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, home=tmp_path / "state", MONGODB_URI=None)
    with StoreConnection(settings, threading.Event()) as connection:
        connection.call(lambda store: store.upsert([]))
        server = json.loads((settings.state_dir / "metadata" / ADDRESS_FILE).read_text())["pid"]
        os.kill(server, signal.SIGKILL)
        assert connection.call_with_retry(lambda store: store.find_keys(DetectionRecord)) == set()


def test_a_shutdown_does_not_wait_for_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.store.repository._TIMEOUT_MS", 100)
    shutdown_requested = threading.Event()
    threading.Timer(1.5, shutdown_requested.set).start()
    with (
        StoreConnection(Settings(root=tmp_path, MONGODB_URI="mongodb://127.0.0.1:9/"), shutdown_requested) as connection,
        pytest.raises(MetadataError),
    ):
        connection.call_with_retry(lambda store: store.find_keys(DetectionRecord))
    assert shutdown_requested.is_set()
