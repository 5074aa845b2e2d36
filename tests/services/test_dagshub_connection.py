"""``realframe dagshub connect`` against a local server with DagsHub's endpoints: it sets and checks each part, and names what lacks."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import mlflow
import pytest
import requests

from realframe import artifacts
from realframe.files import compute_sha256
from realframe.registry import answer_bundle, mlflow_runs, mlflow_server, model_registry
from realframe.services import dagshub_connection
from realframe.services.dagshub_connection import check_rights, save_connection
from realframe.services.doctor import Finding
from realframe.settings import get_settings
from tests import run_folder
from tests.services.fake_dagshub import REPOSITORY, FakeDagsHub, serve_dagshub
from tests.state_fixtures import COMMIT

pytestmark = pytest.mark.slow
TOKEN = "a-token"
RIGHTS = ["data: pull", "data: push", "git: pull", "git: push", "MLflow: log", "MLflow: register", "MLflow: alias"]


@pytest.fixture(scope="module")
def mlflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server that keeps and serves the artifacts."""
    folder, port = tmp_path_factory.mktemp("mlflow"), _find_free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts")]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    env.pop("MLFLOW_TRACKING_URI", None)
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=env, cwd=folder) as server:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if requests.get(f"{url}/health", timeout=2).ok:
                    break
            except requests.RequestException:
                time.sleep(0.3)
        yield url
        server.terminate()


@pytest.fixture
def hub(mlflow_url: str, tmp_path: Path) -> Iterator[FakeDagsHub]:
    with serve_dagshub(TOKEN, mlflow_url, tmp_path) as serving:
        yield serving


@pytest.fixture
def home(checkout: Path, tmp_path: Path, hub: FakeDagsHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout whose processes find the local server."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
    for name in ("MLFLOW_TRACKING_URI", "MONGODB_URI", "REALFRAME_HOME", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")  # also what MLflow sets is undone
        monkeypatch.delenv(name)
    monkeypatch.setenv("REALFRAME_ROOT", str(clone))
    monkeypatch.setenv("DAGSHUB_CLIENT_HOST", hub.url)
    monkeypatch.setenv("DAGSHUB_USER_TOKEN", TOKEN)
    get_settings.cache_clear()
    yield clone
    get_settings.cache_clear()
    mlflow_server._checks.clear()


def _connect(home: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "realframe", "dagshub", "connect", REPOSITORY]
    return subprocess.run(command, cwd=home, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False)


def _results(output: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in line.split("│")] for line in output.splitlines() if line.startswith("│")]
    return {row[2]: row[1] for row in rows if row[2]}


def test_connecting_sets_all_three_and_checks_each_right(home: Path, hub: FakeDagsHub) -> None:
    done = _connect(home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _results(done.stdout) == dict.fromkeys(RIGHTS, "ok")
    assert "Accessing as" not in done.stdout
    assert TOKEN not in done.stdout + done.stderr + (home / ".git" / "config").read_text()

    settings = get_settings()
    assert (settings.dagshub_repo, settings.git_remote) == (REPOSITORY, "dagshub")
    assert mlflow_server.find_address(settings) == f"{hub.url}/{REPOSITORY}.mlflow"
    assert (home / ".realframe" / "settings.env").stat().st_mode & 0o077 == 0
    branches = subprocess.run(["git", "branch", "-a"], cwd=hub.bare_repository, capture_output=True, text=True, check=True).stdout
    assert branches == "", "the branch of the check is deleted"
    assert hub.objects == {}, "and the file, too"
    mlflow_runs.connect(settings)
    assert mlflow.MlflowClient().search_registered_models() == []


def test_a_right_that_is_refused_is_named(home: Path, hub: FakeDagsHub) -> None:
    settings = save_connection(REPOSITORY, get_settings())
    hub.refused |= {("PUT", ".s3/"), ("POST", "git-receive-pack"), ("POST", "runs/create")}
    assert _find_missing(check_rights(settings)) == ["data: push", "git: push", "MLflow: log"]
    for path, right in (("registered-models/create", "MLflow: register"), ("registered-models/alias", "MLflow: alias")):
        hub.refused = {("POST", path)}
        assert _find_missing(dagshub_connection._check_mlflow(settings)) == [right]


def test_a_wrong_token_fails_at_every_right_without_a_traceback(home: Path, hub: FakeDagsHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSHUB_USER_TOKEN", "an-old-token")
    done = _connect(home)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "an-old-token" not in done.stdout + done.stderr
    assert set(_results(done.stdout).values()) == {"missing"}


@pytest.mark.parametrize("missing", [set(), {"/logged-models"}], ids=["current", "older"])
def test_a_version_is_registered_and_loaded_from_a_current_and_an_older_server(
    home: Path, hub: FakeDagsHub, missing: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.missing |= missing
    monkeypatch.setenv("REALFRAME_DAGSHUB_REPO", REPOSITORY)
    get_settings.cache_clear()
    run = tmp_path / "run"
    splits = run_folder.write_dataset(run, 90)
    with mlflow.start_run(experiment_id=mlflow_runs.connect()) as training:
        run_folder.write_training(run, splits, run_id=training.info.run_id)
    run_folder.write_model(run, bias=0.5 + len(missing))
    number = model_registry.register_folder(run, commit=COMMIT)
    version = model_registry.get_version(number)
    assert version.aliases == ("challenger",)
    with answer_bundle.open_registered(version) as bundle:
        assert compute_sha256(bundle.model) == version.sha256 == compute_sha256(run / artifacts.MODEL)
    for name in [model.name for model in mlflow.MlflowClient().search_registered_models()]:
        mlflow.MlflowClient().delete_registered_model(name)


def test_a_rotated_token_is_used_for_git_data_and_mlflow(home: Path, hub: FakeDagsHub) -> None:
    settings = save_connection(REPOSITORY, get_settings())
    mlflow_runs.connect(settings)
    hub.token = "a-new-token"
    assert _find_missing(dagshub_connection._check_mlflow(settings)) == ["MLflow: log"]
    assert _find_missing(check_rights(settings.model_copy(update={"dagshub_user_token": "a-new-token"}))) == []


def _find_missing(findings: Iterable[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.status != "ok"]


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
