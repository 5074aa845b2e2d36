"""200 uploads by 20 clients, and everything killed in the middle: what was accepted is answered."""

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
from realframe.store.embedded_server import ADDRESS
from realframe.store.repository import open_store
from tests.worker.desk import eventually, write_clip, write_photo

CLIENTS, EACH, KILLED_AT = 20, 10, 70
ROOM = 40
LONGEST_WAIT_S = 1.0
WEB_MB, WORKER_MB = 700, 2000


class Service:
    """``realframe serve`` as a process, with a store of its own."""

    def __init__(self, settings: Settings, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.peaks: Counter[str] = Counter()
        self._state = settings.state
        self._command = [sys.executable, "-m", "realframe", "serve", "--port", str(port), "--workers", "1"]
        own = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
        self._env = own | {"REALFRAME_QUEUE_LIMIT": str(ROOM), "REALFRAME_UPLOADS_PER_MINUTE": "100000", "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._log = (settings.state / "serve.log").open("ab")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=self._log, stderr=self._log, env=self._env, cwd=self._state, start_new_session=True
        )

    def kill_all(self) -> None:
        """As when the machine loses its power, but for the disk: the page, its worker, and the store."""
        victims = [*psutil.Process(self.process.pid).children(recursive=True)]
        os.killpg(self.process.pid, signal.SIGKILL)
        os.kill(json.loads((self._state / "metadata" / ADDRESS).read_text())["pid"], signal.SIGKILL)
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        self.process.wait()

    def measure(self, ended: threading.Event) -> None:
        while not ended.wait(0.3):
            with suppress(psutil.Error):
                web = psutil.Process(self.process.pid)
                for process in (web, *web.children()):
                    name = "web" if process == web else "worker"
                    self.peaks[name] = max(self.peaks[name], process.memory_info().rss >> 20)

    def end(self) -> list[psutil.Process]:
        """Stop it as Ctrl-C does; return what is left of it."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0
        self._log.close()
        return [process for process in family if process.is_running()]


class Client:
    """Hands files in until each is accepted; comes back when it is told to."""

    def __init__(self, url: str, key: str) -> None:
        self._url, self._key = f"{url}/api/v1/detections", {"Authorization": f"Bearer {key}"}
        self.accepted: list[str] = []
        self.answers: Counter[int] = Counter()

    def hand_in_all(self, files: list[Path]) -> None:
        for file in files:
            while not self._hand_in(file):
                pass

    def _hand_in(self, file: Path) -> bool:
        try:
            answer = requests.post(self._url, headers=self._key, files={"file": (file.name, file.read_bytes())}, timeout=60)
        except requests.RequestException:  # it has just been killed
            time.sleep(0.3)
            return False
        self.answers[answer.status_code] += 1
        if answer.status_code == 429:
            time.sleep(min(float(answer.headers["Retry-After"]), LONGEST_WAIT_S))
            return False
        assert answer.status_code == 202, answer.text
        self.accepted.append(answer.json()["detection_id"])
        return True

    def record(self, detection_id: str) -> dict:
        answer = requests.get(f"{self._url}/{detection_id}", headers=self._key, timeout=60)
        assert answer.status_code == 200, (detection_id, answer.text)
        return dict(answer.json())


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
        accounts.add(store, "ann", "analyst", "correct horse battery")
        return api_keys.add(store, "load", "analyst", "ann")


def test_nothing_that_was_accepted_is_lost(settings: Settings, key: str, media: list[Path]) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    service, ended = Service(settings, port), threading.Event()
    clients = [Client(service.url, key) for _ in range(CLIENTS)]
    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS + 1) as threads:
        measuring = threads.submit(service.measure, ended)
        working = [
            threads.submit(client.hand_in_all, [media[(n + start) % len(media)] for n in range(EACH)])
            for start, client in enumerate(clients)
        ]
        eventually(lambda: sum(len(client.accepted) for client in clients) >= KILLED_AT)
        service.kill_all()
        service.start()
        for job in working:
            job.result(120)
        accepted = [detection_id for client in clients for detection_id in client.accepted]
        assert len(set(accepted)) == CLIENTS * EACH
        took = time.monotonic() - began
        pending = dict.fromkeys(accepted)
        while pending:
            records = {one: clients[0].record(one) for one in list(pending)[:20]}
            done = [one for one, record in records.items() if record["state"] == "done"]
            for one in done:
                del pending[one]
                assert (records[one]["verdict"] == "not scored") == (records[one]["file"] == "page.mp4"), records[one]
            time.sleep(0.0 if done else 0.5)
            assert time.monotonic() - began < 300
        ended.set()
        measuring.result()
    answers = sum((client.answers for client in clients), Counter())
    print(
        f"accepted in {took:.0f} s, done in {time.monotonic() - began:.0f} s; answers {dict(answers)}; at most, MB: {dict(service.peaks)}"
    )
    assert answers[429]
    assert service.peaks["web"] < WEB_MB
    assert service.peaks["worker"] < WORKER_MB
    assert service.end() == []
