"""Other users of the machine can open nothing of a first start's state, whatever the umask is, and `doctor` finds what is too open."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from realframe.services.doctor import Finding, run_checks
from realframe.settings import Settings
from realframe.store.embedded_server import ADDRESS_FILE
from tests.other_user import open_as_nobody
from tests.process_marks import list_commands

AIRFLOW_LOG_PORTS = (8793, 8794)  # Airflow has no setting for their address; docs/security.md names them
OWN_VARIABLES = ("MONGODB_URI", "MLFLOW_TRACKING_URI", "REALFRAME_HOME", "REALFRAME_ROOT")


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that everyone can open, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="realframe-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _read_until(process: subprocess.Popen[str], last: str) -> str:
    assert process.stdout
    printed = ""
    while last not in printed and (line := process.stdout.readline()):
        printed += line
    return printed


def _status(url: str, body: bytes | None = None, **headers: str) -> int:
    for _ in range(150):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{url} does not answer")


def list_exposed(state: Path) -> list[str]:
    """Return what others could open if the state folder itself were open: neither its own mode nor that of a folder in it is private."""

    def is_open(path: Path) -> bool:
        return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)

    paths = [path for path in state.rglob("*") if not path.is_symlink() and not (path.suffix == ".lock" and not path.stat().st_size)]
    assert len(paths) > 20
    return [str(path) for path in paths if is_open(path) and all(is_open(parent) for parent in path.parents if state in parent.parents)]


@pytest.mark.end_to_end
@pytest.mark.timeout(600)
def test_a_first_start_leaves_nothing_that_others_can_open(checkout: Path, shared_folder: Path) -> None:
    umask = 0  # what is not made private on purpose is open to all
    state = shared_folder / "state"
    variables = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
    env = variables | {"REALFRAME_ROOT": str(checkout), "REALFRAME_HOME": str(state), "COLUMNS": "250"}
    airflow, mlflow, web = _free_port(), _free_port(), _free_port()
    realframe = [sys.executable, "-m", "realframe"]
    commands = (
        [*realframe, "serve", "--port", str(web), "--workers", "0"],
        [*realframe, "up", "--airflow-port", str(airflow), "--mlflow-port", str(mlflow)],
    )
    serve, up = (
        subprocess.Popen(command, env=env, cwd=checkout, umask=umask, stdout=subprocess.PIPE, text=True, start_new_session=True)
        for command in commands
    )
    try:
        assert "The first account: admin" in _read_until(serve, "first account")
        table = _read_until(up, "metadata store")
        key = subprocess.run(
            [*realframe, "keys", "add", "test", "--owner", "admin"],
            env=env,
            cwd=checkout,
            umask=umask,
            capture_output=True,
            text=True,
            check=True,
        )
        token = re.search(r"rf_\S+", key.stdout)
        assert token
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n\x89PNG\r\n--x--\r\n'
        headers = {"Authorization": f"Bearer {token[0]}", "Content-Type": "multipart/form-data; boundary=x"}
        assert _status(f"http://127.0.0.1:{web}/api/v1/detections", form, **headers) == 202

        assert stat.S_IMODE(state.stat().st_mode) == 0o700
        assert list_exposed(state) == []
        assert {path.name for path in state.rglob("*")} >= {
            *(
                "session.key",
                "passwords.json",
                "jwt_secret",
                "admin_password",
                "mlflow.db",
                "metadata.db",
                "airflow.db",
                "media",
                "store.sock",
            )
        }
        assert open_as_nobody([state, *state.rglob("*")]) == []

        store = int(json.loads((state / "metadata" / ADDRESS_FILE).read_text())["pid"])
        assert _listening([psutil.Process(store)]) == set()
        family = [process for parent in (serve, up) for process in (psutil.Process(parent.pid), *psutil.Process(parent.pid).children(True))]
        open_to_network = {(address, port) for address, port in _listening(family) if address != "127.0.0.1"}
        assert {port for _, port in open_to_network} <= set(AIRFLOW_LOG_PORTS)
        assert _status(f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/experiments/get-by-name?experiment_name=realframe") == 401
        password = re.search(rf"{mlflow}\S* .*admin / (\S+)", table)
        assert password
        assert not [line for line in list_commands(psutil.Process(serve.pid), psutil.Process(up.pid)) if password[1] in " ".join(line)]
    finally:
        for process in (serve, up):
            process.send_signal(signal.SIGINT)
        for process in (serve, up):
            process.wait(60)
            assert process.stdout
            process.stdout.close()


def _listening(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    connections = [connection for process in processes for connection in process.net_connections("inet")]
    return {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}


def _check(settings: Settings) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in run_checks(settings):
        findings.setdefault(finding.check, []).append(finding)
    return findings


def test_doctor_names_what_is_too_open_and_the_command_that_closes_it(checkout: Path, tmp_path: Path) -> None:
    settings = Settings(root=checkout, home=tmp_path / "a state", MONGODB_URI=None)
    state = settings.state_dir
    names = ("state folder", "secrets", "databases", "store socket", "uploads")
    first = _check(settings)
    assert {name: first[f"permissions: {name}"][0].status for name in names} == dict.fromkeys(names, "ok")
    for name in ("session.key", "mlflow.db"):
        (state / name).touch()
        (state / name).chmod(0o644)
    (state / "metadata").chmod(0o755)
    tmp_path.chmod(0o777)
    second = _check(settings)
    tmp_path.chmod(0o700)
    assert [finding.hint for finding in second["state folder"]] == [f"chmod go-w {tmp_path}"]
    for name, file in (("secrets", "session.key"), ("databases", "mlflow.db")):
        (finding,) = second[f"permissions: {name}"]
        assert (finding.status, finding.hint) == ("note", f"chmod go= '{state / file}'")
        assert "has mode 0644" in finding.detail
        subprocess.run(["sh", "-c", finding.hint], check=True)
    third = _check(settings)
    assert {name: third[f"permissions: {name}"][0].status for name in names} == dict.fromkeys(names, "ok")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_doctor_reports_a_state_folder_of_another_user(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 65534, 65534)
    missing = [finding for finding in run_checks(Settings(root=checkout, home=tmp_path / "state")) if finding.check == "permissions"]
    assert [finding.status for finding in missing] == ["missing"]
    assert "belongs to the user 65534" in missing[0].detail
    assert "REALFRAME_HOME" in missing[0].hint
