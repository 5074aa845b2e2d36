"""Run a real ``realframe serve`` with its worker in its own checkout, with a small champion that scores brightness, and a challenger."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from realframe.settings import Settings, get_settings
from realframe.store import accounts
from realframe.store.index_sync import sync_models
from realframe.store.repository import open_store
from tests import run_folder

PASSWORD = "correct horse battery"
ROLES: dict[str, accounts.Role] = {"ann": "analyst", "bob": "analyst", "ada": "reviewer"}
_SERVERS = ("MONGODB_URI", "REALFRAME_HOME", "REALFRAME_DAGSHUB_REPO", "REALFRAME_REVIEWER", "REALFRAME_PASSWORD")
_READY_S = 180.0


@dataclass(frozen=True)
class RunningService:
    """A running service.

    Attributes:
        url: the address of the service.
        settings: the settings of its checkout.
    """

    url: str
    settings: Settings


@contextmanager
def run_service(root: Path, *, image: str = "", video: str = "") -> Iterator[RunningService]:
    """Fill a checkout's registry and accounts, and serve it until the block ends.

    The environment names the checkout only while its registry is filled: other tests of this process run before the service ends.

    Args:
        root: of the checkout.
        image: code of the reason for which the champion gives no verdicts on images; empty where it does.
        video: the same for videos.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in _SERVERS:
            patch.delenv(name, raising=False)
        patch.setenv("REALFRAME_ROOT", str(root))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / '.realframe' / 'mlflow.db'}")  # MLflow may have set another one
        get_settings.cache_clear()
        settings = get_settings()
        _register_models(settings, root / "run", {"image": image, "video": video})
        environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    get_settings.cache_clear()
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with _run_process(port, root, environment):
        _wait_until_ready(url, root)
        yield RunningService(url, settings)


def _register_models(settings: Settings, folder: Path, abstentions: dict[str, str]) -> None:
    from realframe.registry import mlflow_runs, model_registry

    mlflow_runs.connect()
    splits = run_folder.write_dataset(folder, 90)
    run_folder.write_training(folder, splits, quality=0.9)
    run_folder.set_verdicts(folder, **abstentions)
    run_folder.write_pixel_model(folder, 12.0, -6.0)
    champion = model_registry.register_folder(folder, commit="c" * 40, trainer="Tom")
    model_registry.set_alias(model_registry.CHAMPION, champion)
    run_folder.write_model(folder, bias=0.3)
    model_registry.register_folder(folder, commit="c" * 40, trainer="Tom")
    with open_store(settings) as store:
        sync_models(store, model_registry.list_versions())
        for name, role in ROLES.items():
            accounts.add_account(store, name, role, PASSWORD)


@contextmanager
def _run_process(port: int, root: Path, environment: dict[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "realframe", "serve", "--port", str(port)]
    with (root / "serve.log").open("w") as log, subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, root: Path) -> None:
    start = time.monotonic()
    while not _is_ready(f"{url}/readyz"):
        assert time.monotonic() - start < _READY_S, (root / "serve.log").read_text()
        time.sleep(0.3)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
