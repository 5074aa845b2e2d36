"""``realframe users`` gives equal accounts on the web page, in Airflow and MLflow; ``realframe up`` uses a named MLflow server."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.process_marks import list_commands

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]
PASSWORDS = {"ada": "ada's long password", "eve": "eve's long password", "rob": "rob's long password"}
ROLES = {"ada": "reviewer", "eve": "analyst", "rob": "admin"}
OWN_VARIABLES = ("MONGODB_URI", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "no_proxy", "NO_PROXY")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def send(url: str, body: bytes | None = None, method: str | None = None, **headers: str) -> tuple[int, str]:
    """Return the status and text of an answer; a server that starts is waited for, and a redirection is not followed."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), KeepRedirections())
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    for _ in range(300):
        try:
            with opener.open(urllib.request.Request(url, body, names, method=method), timeout=30) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{url} does not answer")


class KeepRedirections(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class Machine:
    """A checkout with a state folder of its own, and the services started there."""

    def __init__(self, checkout: Path, state: Path, **variables: str) -> None:
        self.state, self.airflow, self.mlflow, self.web = state, free_port(), free_port(), free_port()
        env = {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}
        self.env = env | {"REALFRAME_ROOT": str(checkout), "REALFRAME_HOME": str(state), "COLUMNS": "250"} | variables
        self.checkout = checkout

    def run(self, *arguments: str, password: str = "") -> str:
        command = [sys.executable, "-m", "realframe", *arguments]
        env = self.env | {"REALFRAME_PASSWORD": password}
        result = subprocess.run(command, cwd=self.checkout, env=env, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    @contextmanager
    def start(self, *arguments: str, until: str) -> Iterator[tuple[str, psutil.Process]]:
        """Start a command; yield what it prints before it is ready, and its process."""
        command = [sys.executable, "-m", "realframe", *arguments]
        process = subprocess.Popen(command, cwd=self.checkout, env=self.env, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert process.stdout
        try:
            printed = ""
            while until not in printed and (line := process.stdout.readline()):
                printed += line
            yield printed, psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            process.stdout.close()

    def sign_in_to_airflow(self, name: str, password: str) -> str:
        """Return a token, empty if Airflow refuses the password."""
        body = json.dumps({"username": name, "password": password}).encode()
        status, text = send(f"http://127.0.0.1:{self.airflow}/auth/token", body, Content_Type="application/json")
        return str(json.loads(text)["access_token"]) if status == 201 else ""

    def may_unpause(self, token: str) -> int:
        """Return the status of a change that a viewer must not make."""
        url = f"http://127.0.0.1:{self.airflow}/api/v2/dags/watch_drift"
        body, bearer = json.dumps({"is_paused": False}).encode(), f"Bearer {token}"
        for _ in range(120):  # Airflow reads the DAGs a while after its start
            status, _text = send(url, body, "PATCH", Content_Type="application/json", Authorization=bearer)
            if status != 404:
                return status
            time.sleep(0.5)
        raise AssertionError("no DAG")

    def airflow_passwords(self) -> dict[str, str]:
        return dict(json.loads((self.state / "airflow" / "passwords.json").read_text()))

    def ask_mlflow(self, path: str, name: str, password: str) -> tuple[int, str]:
        token = base64.b64encode(f"{name}:{password}".encode()).decode()
        return send(f"http://127.0.0.1:{self.mlflow}/api/2.0/mlflow/{path}", Authorization=f"Basic {token}")

    def sign_in_to_page(self, name: str, password: str) -> int:
        form = urllib.parse.urlencode({"name": name, "password": password}).encode()
        return send(f"http://127.0.0.1:{self.web}/sign-in", form)[0]


@pytest.fixture(scope="module")
def machine(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    # a company's proxy, which knows nothing of the services of this machine
    return Machine(checkout, tmp_path_factory.mktemp("machine") / "state", http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")


def test_one_command_gives_equal_accounts_and_a_named_server_is_used(machine: Machine, tmp_path: Path) -> None:
    printed = {name: machine.run("users", "add", name, "--role", role, password=PASSWORDS[name]) for name, role in ROLES.items()}
    assert f"the password there is in {machine.state / 'airflow' / 'passwords.json'}" in printed["ada"]
    assert not [text for text in printed.values() if any(password in text for password in PASSWORDS.values())]
    ports = ("--airflow-port", str(machine.airflow), "--mlflow-port", str(machine.mlflow))
    with (
        machine.start("serve", "--port", str(machine.web), "--workers", "0", until="Web page:"),
        machine.start("up", *ports, until="Further accounts") as (table, up),
    ):
        for place in ("airflow/passwords.json", "mlflow/admin_password", "the first start of `realframe serve` prints it"):
            assert place in table
        airflow_passwords = machine.airflow_passwords()
        expected = {"ada": 200, "eve": 403, "rob": 200}
        for name, status in expected.items():
            token = machine.sign_in_to_airflow(name, airflow_passwords[name])
            assert machine.may_unpause(token) == status, name
            assert machine.sign_in_to_page(name, PASSWORDS[name]) == 303, name
            status, user = machine.ask_mlflow(f"users/get?username={name}", name, PASSWORDS[name])
            assert (status, json.loads(user)["user"]["is_admin"]) == (200, name == "rob"), user
        assert not machine.sign_in_to_airflow("ada", PASSWORDS["ada"])
        commands = [" ".join(command) for command in list_commands(up)]
        assert not [command for command in commands for password in airflow_passwords.values() if password in command]

        machine.run("users", "passwd", "ada", password="a newer password")
        machine.run("users", "remove", "eve")
        assert not machine.sign_in_to_airflow("ada", airflow_passwords["ada"])
        assert machine.sign_in_to_airflow("ada", machine.airflow_passwords()["ada"])
        assert [machine.sign_in_to_page("ada", password) for password in (PASSWORDS["ada"], "a newer password")] == [403, 303]
        path = "users/get?username=ada"
        assert [machine.ask_mlflow(path, "ada", password)[0] for password in (PASSWORDS["ada"], "a newer password")] == [401, 200]
        assert not machine.sign_in_to_airflow("eve", airflow_passwords["eve"])
        assert machine.sign_in_to_page("eve", PASSWORDS["eve"]) == 403
        assert machine.ask_mlflow("users/get?username=eve", "eve", PASSWORDS["eve"])[0] == 401

        check_that_a_named_server_is_used(machine, tmp_path)


def check_that_a_named_server_is_used(server: Machine, folder: Path) -> None:
    """Check ``up`` and ``users add`` of a second machine that names the MLflow server of the first one."""
    uri, password = f"http://127.0.0.1:{server.mlflow}", (server.state / "mlflow" / "admin_password").read_text()
    account = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password}
    other = Machine(server.checkout, folder / "other", MLFLOW_TRACKING_URI=uri, **account)
    assert "MLflow: zoe, may read" in other.run("users", "add", "zoe", "--role", "analyst", password="zoe's long password")
    assert server.ask_mlflow("users/get?username=zoe", "zoe", "zoe's long password")[0] == 200
    with other.start("up", "--airflow-port", str(other.airflow), "--mlflow-port", str(other.mlflow), until="Further accounts") as (
        table,
        up,
    ):
        assert re.search(rf"MLflow .*{re.escape(uri)}\S* .*your account of that server", table)
        assert "admin_password" not in table
        assert not [command for command in list_commands(up) if "mlflow" in command]
        assert other.sign_in_to_airflow("zoe", other.airflow_passwords()["zoe"])
    other.run("users", "remove", "zoe")
    assert server.ask_mlflow("users/get?username=zoe", "zoe", "zoe's long password")[0] == 401
