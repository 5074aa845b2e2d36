"""Load test: 20 clients upload 200 files and all processes are killed meanwhile; every accepted file gets its result."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store import accounts, api_keys
from realframe.store.embedded_server import ADDRESS_FILE
from realframe.store.repository import open_store
from tests.worker.uploads import wait_until, write_clip, write_photo

CLIENTS, FILES_PER_CLIENT, UPLOADS_BEFORE_KILL = 20, 5, 35
QUEUE_LIMIT = 40
MAX_RETRY_S = 1.0
MAX_WEB_MB, MAX_WORKER_MB = 700, 2000


class Service:
    """Run ``realframe serve`` as a process with its own store."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.peaks: Counter[str] = Counter()
        self._state = settings.state_dir
        self._command = [sys.executable, "-m", "realframe", "serve", "--port", str(port), "--workers", "1"]
        environment = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
        self._env = environment | {
            "REALFRAME_QUEUE_LIMIT": str(QUEUE_LIMIT),
            "REALFRAME_UPLOADS_PER_MINUTE": "100000",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._log = (settings.state_dir / "serve.log").open("ab")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, env=self._env, cwd=self._state, start_new_session=True
        )

    def kill_all(self) -> None:
        """Kill the web process, its worker and the store, as if the machine lost power."""
        processes = [*psutil.Process(self.process.pid).children(recursive=True)]
        os.killpg(self.process.pid, signal.SIGKILL)
        os.kill(json.loads((self._state / "metadata" / ADDRESS_FILE).read_text())["pid"], signal.SIGKILL)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()

    def measure_memory(self, done: threading.Event) -> None:
        while not done.wait(0.3):
            with suppress(psutil.Error):
                web = psutil.Process(self.process.pid)
                for process in (web, *web.children()):
                    name = "web" if process == web else "worker"
                    self.peaks[name] = max(self.peaks[name], process.memory_info().rss >> 20)

    def stop(self) -> list[psutil.Process]:
        """Stop it as Ctrl-C does; return the processes that still run."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0
        self._log.close()
        return [process for process in children if process.is_running()]


class Client:
    """Upload files until each is accepted; retry as the service asks."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = f"{url}/api/v1/detections", {"Authorization": f"Bearer {key}"}
        self.accepted: list[str] = []
        self.status_counts: Counter[int] = Counter()

    def upload_all(self, files: list[Path]) -> None:
        for file in files:
            while not self._upload(file):
                pass

    def _upload(self, file: Path) -> bool:
        try:
            response = requests.post(self._url, headers=self._key, files={"file": (file.name, file.read_bytes())}, timeout=60)
        except requests.RequestException:  # the service has just been killed
            time.sleep(0.3)
            return False
        self.status_counts[response.status_code] += 1
        if response.status_code == 429:
            time.sleep(min(float(response.headers["Retry-After"]), MAX_RETRY_S))
            return False
        assert response.status_code == 202, response.text
        self.accepted.append(response.json()["detection_id"])
        return True

    def get_record(self, detection_id: str) -> dict:
        response = requests.get(f"{self._url}/{detection_id}", headers=self._key, timeout=60)
        assert response.status_code == 200, (detection_id, response.text)
        return dict(response.json())


@pytest.fixture
def media(tmp_path: Path) -> list[Path]:
    photos = [write_photo(tmp_path / f"{number}.jpg", number) for number in range(8)]
    clip = write_clip(tmp_path / "clip.mp4", seconds=2.5)
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    return [*photos, clip, tmp_path / "page.mp4"]


@pytest.fixture
def key(settings: Settings, three_versions: Path) -> str:
    model_registry.set_alias(model_registry.CHAMPION, 1)
    with open_store(settings.model_copy(update={"mongodb_uri": None})) as store:
        accounts.add_account(store, "ann", "analyst", "correct horse battery")
        return api_keys.add_key(store, "load", "analyst", "ann")


def test_no_accepted_file_is_lost(settings: Settings, key: str, media: list[Path]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    service, done = Service(settings, port), threading.Event()
    clients = [Client(service.url, key) for _ in range(CLIENTS)]
    start = time.monotonic()
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        memory_job = threads.submit(service.measure_memory, done)
        upload_jobs = [
            threads.submit(client.upload_all, [media[(n + offset) % len(media)] for n in range(FILES_PER_CLIENT)])
            for offset, client in enumerate(clients)
        ]
        wait_until(lambda: sum(len(client.accepted) for client in clients) >= UPLOADS_BEFORE_KILL)
        service.kill_all()
        service.start()
        for job in upload_jobs:
            job.result(120)
        accepted = [detection_id for client in clients for detection_id in client.accepted]
        assert len(set(accepted)) == CLIENTS * FILES_PER_CLIENT
        upload_seconds = time.monotonic() - start
        pending = dict.fromkeys(accepted)
        while pending:
            records = {detection_id: clients[0].get_record(detection_id) for detection_id in list(pending)[:20]}
            finished = [record for record in records.values() if record["state"] == "done"]
            for record in finished:
                del pending[record["detection_id"]]
                assert (record["verdict"] == "not scored") == (record["file"] == "page.mp4"), record
            time.sleep(0.0 if finished else 0.5)
            assert time.monotonic() - start < 300
        done.set()
        memory_job.result()
    status_counts = sum((client.status_counts for client in clients), Counter())
    print(
        f"accepted in {upload_seconds:.0f} s, done in {time.monotonic() - start:.0f} s; "
        f"status codes {dict(status_counts)}; peak memory in MB: {dict(service.peaks)}"
    )
    assert status_counts[429]
    assert service.peaks["web"] < MAX_WEB_MB
    assert service.peaks["worker"] < MAX_WORKER_MB
    assert service.stop() == []
