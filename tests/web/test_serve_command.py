"""``realframe serve``: the web process answers, prints the first password, restarts its worker, and stops on Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from realframe.settings import Settings
from realframe.store import worker_status
from realframe.store.repository import Store
from tests.worker.uploads import wait_until


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str, process: subprocess.Popen[str]) -> str:
    for _ in range(300):
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return str(response.read().decode())
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def test_the_service_restarts_its_worker_and_stops_on_ctrl_c(three_versions: Path, settings: Settings, store: Store) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "realframe", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        page = _get(f"http://127.0.0.1:{port}/versions", process)
        assert "Sign in" in page
        [first] = wait_until(lambda: [status for status in worker_status.list_alive(store) if status.problem])
        worker = psutil.Process(process.pid).children()[0]
        worker.kill()
        others = wait_until(lambda: [status.worker for status in worker_status.list_alive(store) if status.worker != first.worker])
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    assert "The first account: admin, password" in output
    assert f"http://127.0.0.1:{port}" in output
    assert "Traceback" not in errors
    assert process.returncode == 0
    assert errors.count("worker started") == 2
    assert "worker 1 ended with status -9; it restarts in 1 s" in errors
    assert "no version of the detector has been approved yet. Approve one" in errors
    assert others[0] not in {status.worker for status in worker_status.list_alive(store)}


@pytest.mark.parametrize(("public_url", "last_status"), [("", 429), ("https://realframe.example.org", 401)])
def test_only_the_proxy_of_a_public_address_names_the_client(
    three_versions: Path, settings: Settings, store: Store, public_url: str, last_status: int
) -> None:
    """Twenty invalid keys a minute are allowed per client; a sender that could name its own address would have no limit."""
    port = _free_port()
    command = [sys.executable, "-m", "realframe", "serve", "--port", str(port), "--workers", "0"]
    env = os.environ | {"REALFRAME_PUBLIC_URL": public_url}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        _get(f"http://127.0.0.1:{port}/healthz", process)
        statuses = []
        for number in range(21):
            headers = {"Authorization": "Bearer rf_wrong", "X-Forwarded-For": f"192.0.2.{number}"}
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/models", headers=headers), timeout=20)
            statuses.append(refused.value.code)
            refused.value.close()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert statuses == [401] * 20 + [last_status]
