"""A tracking server that is away, or hangs: each surface says so in one sentence within seconds, and the web service goes on."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from realframe.errors import ServiceError
from realframe.registry import mlflow_runs, mlflow_server
from realframe.services.doctor import run_checks
from realframe.settings import Settings, get_settings
from realframe.store import accounts
from realframe.store.repository import Store
from realframe.web.app import create_app
from tests.unreachable_servers import hanging_port, refused_port

__all__ = ["hanging_port", "refused_port"]
PASSWORD = "correct horse battery staple"


@pytest.fixture(params=["refused_port", "hanging_port"])
def dead_server(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that is named and does not answer."""
    uri = f"http://127.0.0.1:{request.getfixturevalue(request.param)}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(mlflow_server, "_CHECK_TIMEOUT_S", 1.0)
    get_settings.cache_clear()
    yield uri
    mlflow_server._checks.clear()


def test_connecting_fails_in_one_sentence(dead_server: str) -> None:
    for connect in (mlflow_runs.connect, mlflow_runs.connect_registry):
        with pytest.raises(ServiceError, match=rf"^MLflow at {dead_server}: (cannot be reached: Connection refused|does not answer)"):
            connect()


@pytest.mark.slow
def test_registry_list_ends_with_one_sentence_within_seconds(dead_server: str) -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "realframe", "registry", "list"]
    process = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False, timeout=120)
    assert time.monotonic() - began < 40  # of which the imports take most
    assert process.returncode == 1
    assert f"setup.service: MLflow at {dead_server}: " in process.stderr
    assert "Traceback" not in process.stderr


def test_doctor_asks_the_server(dead_server: str) -> None:
    findings = {finding.check: finding for finding in run_checks(get_settings())}
    assert findings["MLflow"].status == "missing"
    assert dead_server in findings["MLflow"].detail


def test_pages_answer_503_with_a_sentence_and_the_service_goes_on(dead_server: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_N", 2)
    accounts.add_account(store, "rea", "reviewer", PASSWORD)
    with TestClient(create_app(), base_url="http://127.0.0.1:8000") as client:
        client.post("/sign-in", data={"name": "rea", "password": PASSWORD})
        client.app.state.monitor.refresh()  # type: ignore[attr-defined]
        began = time.monotonic()
        threads = [threading.Thread(target=client.get, args=("/readyz",)) for _ in range(45)]
        for thread in threads:
            thread.start()
        for path in ("/versions", "/review", "/versions/1"):
            page = client.get(path)
            assert page.status_code == 503, path
            assert f"MLflow at {dead_server}" in page.text
        assert client.get("/history").status_code == 200
        for thread in threads:
            thread.join()
        assert time.monotonic() - began < 10
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert any(dead_server in error["message"] for error in ready.json()["errors"] if error["location"] == "champion")


def test_a_database_that_is_away_is_named_without_its_password(refused_port: int) -> None:
    uri = f"postgresql://realframe:secret@127.0.0.1:{refused_port}/mlflow"
    with pytest.raises(ServiceError, match=r"^MLflow at postgresql://127.0.0.1:\d+/mlflow: cannot be reached: Connection refused"):
        mlflow_server._require_answer(uri)


def test_a_problem_is_remembered_for_seconds_only(hanging_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_server, "_CHECK_TIMEOUT_S", 0.3)
    uri = f"http://127.0.0.1:{hanging_port}"
    with pytest.raises(ServiceError):
        mlflow_server._require_answer(uri)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(ServiceError):
            mlflow_server._require_answer(uri)
    assert time.monotonic() - began < 0.3
    monkeypatch.setattr(mlflow_server, "_find_problem", lambda _: "")  # it has come back
    monkeypatch.setattr(mlflow_server, "_VALID_S", 0.0)
    mlflow_server._require_answer(uri)
