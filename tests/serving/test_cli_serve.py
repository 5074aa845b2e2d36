"""``bonafide serve``: a process that answers, tells the first password, and stops on Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from bonafide.settings import Settings


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str, process: subprocess.Popen[str]) -> str:
    for _ in range(300):
        assert process.poll() is None, process.communicate()
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def test_it_answers_and_stops(three_versions: Path, settings: Settings) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "bonafide", "serve", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        page = _get(f"http://127.0.0.1:{port}/versions", process)
        assert "Sign in" in page
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate(timeout=30)
    assert "The first account: admin, password" in said
    assert f"http://127.0.0.1:{port}" in said
    assert "Traceback" not in errors
    assert process.returncode == 0
