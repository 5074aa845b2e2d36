"""The MLflow server of ``docker-compose.yml``: ``start.sh`` takes passwords of any characters, and shows none in the process list."""

import base64
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from tests.process_marks import list_commands

PASSWORD = "p|a&s\\s%w@o:r/d \"quoted\" 'too' $HOME `x` äß漢 #;"
SECRET_VARIABLE = re.compile(r"\$\{[A-Z_]*(?:PASSWORD|SECRET)[A-Z_]*(?::[^}]*)?\}")


def _request(url: str, password: str) -> int:
    token = base64.b64encode(f"admin:{password}".encode()).decode()
    request = urllib.request.Request(url, headers={"Authorization": f"Basic {token}"})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def _await_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())


@pytest.mark.slow
def test_the_start_script_takes_any_password_and_shows_none(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "mlflow", tmp_path / "mlflow")
    ini = tmp_path / "mlflow" / "basic_auth.ini"
    accounts = f"database_uri = sqlite:///{tmp_path / 'accounts.db'}"
    ini.write_text(re.sub("database_uri = .*", accounts, ini.read_text()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "POSTGRES_PASSWORD": PASSWORD,
        "MLFLOW_AUTH_ADMIN_PASSWORD": PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": PASSWORD,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{tmp_path / 'runs.db'}",
        "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path / "artifacts"),
        "MLFLOW_HOST": "127.0.0.1",
        "MLFLOW_PORT": str(port),
        "MLFLOW_WORKERS": "1",
    }
    log = tmp_path / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["sh", str(tmp_path / "mlflow" / "start.sh")], env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        _await_answer(f"http://127.0.0.1:{port}/health", process, log)
        commands = list_commands(psutil.Process(process.pid))
        assert commands
        assert not [command for command in commands if any(PASSWORD[:4] in argument for argument in command)]
        url = f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
        assert _request(url, PASSWORD) == 200
        assert _request(url, "wrong") == 401
        assert PASSWORD not in log.read_text()
    finally:
        for member in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            member.kill()
        process.wait()


def test_the_start_script_names_a_missing_password(root: Path) -> None:
    result = subprocess.run(
        ["sh", str(root / "mlflow" / "start.sh")], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )
    assert result.returncode
    assert "POSTGRES_PASSWORD: set it in .env" in result.stderr


def test_no_secret_of_docker_compose_is_a_part_of_an_address_or_a_command(root: Path) -> None:
    """A secret that is a part of a longer text would need escapes, and an argument is shown in the process list."""
    file = YAML(typ="safe").load(root / "docker-compose.yml")
    found = 0
    for name, service in {**file["services"], "x-airflow": file["x-airflow"]}.items():
        assert not SECRET_VARIABLE.search(str(service.get("command", ""))), name
        for variable, value in service.get("environment", {}).items():
            if SECRET_VARIABLE.search(str(value)):
                assert SECRET_VARIABLE.fullmatch(value), f"{name}: {variable}"
                found += 1
    assert found > 8
