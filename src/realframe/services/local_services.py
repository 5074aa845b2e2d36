"""Start Airflow, the MLflow server and the metadata store together, and stop them on Ctrl-C."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.table import Table

from realframe.errors import SetupError
from realframe.permissions import create_private_file, load_secret, open_private_file, open_private_folder, write_private_text
from realframe.registry import mlflow_runs
from realframe.services import airflow_home
from realframe.settings import Settings
from realframe.store.repository import open_store

MLFLOW_ADMIN = "admin"
_READY_S = 120
_STOP_S = 20


def run_services(settings: Settings, *, airflow_port: int, mlflow_port: int) -> None:
    """Run the services until Ctrl-C or SIGTERM, or until one of them ends. Raises SetupError."""
    console = Console()
    for port, option in ((airflow_port, "--airflow-port"), (mlflow_port, "--mlflow-port")):
        _require_free_port(port, option)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as services:
        try:
            store = services.enter_context(open_store(settings))
            uri = mlflow_runs.connect(settings) and settings.tracking_uri
            mlflow_environment = _mlflow_environment(settings, uri)
            mlflow_password = mlflow_environment["MLFLOW_AUTH_ADMIN_PASSWORD"]
            server = services.enter_context(_service("mlflow", _mlflow_command(settings, mlflow_port), mlflow_environment, settings))
            environment = airflow_home.airflow_environment(settings, airflow_port)
            accounts = airflow_home.load_passwords(settings)
            standalone = services.enter_context(_service("airflow", [sys.executable, "-m", "airflow", "standalone"], environment, settings))
            with console.status("starting Airflow and MLflow (10 to 20 seconds) ..."):
                _wait_until_ready(f"http://127.0.0.1:{mlflow_port}/health", server, settings)
                _wait_until_ready(f"http://127.0.0.1:{airflow_port}/api/v2/monitor/health", standalone, settings)
            console.print(_address_table(airflow_port, mlflow_port, store.address, accounts, mlflow_password))
            while server.poll() is None and standalone.poll() is None:
                time.sleep(0.5)
            ended = "MLflow" if server.poll() is not None else "Airflow"
            raise SetupError(ended, "ended unexpectedly", f"Its log is in {settings.state_dir / 'logs'}.")
        except KeyboardInterrupt:
            console.print("\nstopping ...")


def _mlflow_command(settings: Settings, port: int) -> list[str]:
    artifacts = ["--artifacts-destination", str(open_private_folder(settings.state_dir / "mlartifacts"))]
    return [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", *artifacts, "--host", "127.0.0.1", "--port", str(port)]


def _mlflow_environment(settings: Settings, uri: str) -> dict[str, str]:
    """Return the environment of the MLflow server, which asks for an account: each user of the machine can connect to its port."""
    folder = open_private_folder(settings.state_dir / "mlflow")
    config = ConfigParser(interpolation=None)
    database_uri = f"sqlite:///{folder / 'accounts.db'}".replace("%", "%%")  # MLflow reads the file with interpolation
    config["mlflow"] = {"default_permission": "READ", "database_uri": database_uri, "admin_username": MLFLOW_ADMIN}
    text = StringIO()
    config.write(text)
    write_private_text(folder / "basic_auth.ini", text.getvalue())
    create_private_file(folder / "accounts.db")
    return {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": uri,  # it may hold a password, which each user could read in the process list
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": load_secret(folder / "admin_password", lambda: secrets.token_urlsafe(9)),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": load_secret(folder / "secret_key"),
        "MLFLOW_WORKERS": "1",  # one person uses it
    }


@contextmanager
def _service(name: str, command: list[str], environment: dict[str, str], settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service in its own process session, so that Ctrl-C in the terminal does not reach it directly."""
    log = open_private_folder(settings.state_dir / "logs") / f"{name}.log"
    # MLflow's job runner is not used and doubles its memory
    environment = {**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open_private_file(log, "a") as stream:
        process = subprocess.Popen(  # noqa: S603
            command, env=environment, cwd=settings.root, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Send SIGINT to the parent only: `airflow standalone` orphans its children on SIGTERM, and hangs if all get the signal."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _require_free_port(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise SetupError(f"port {port}", "is used by another program", f"Choose another port with {option}.") from error


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], settings: Settings) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.3)
    raise SetupError(url, "does not answer", f"Its log is in {Path(settings.state_dir) / 'logs'}.")


def _address_table(airflow_port: int, mlflow_port: int, store: str, accounts: dict[str, str], mlflow_password: str) -> Table:
    table = Table("service", "address", "sign in as", title="realframe is running; Ctrl-C stops all services")
    table.add_row("Airflow", f"http://127.0.0.1:{airflow_port}", "\n".join(f"{name} / {accounts[name]}" for name in ("admin", "reviewer")))
    table.add_row("MLflow", f"http://127.0.0.1:{mlflow_port}", f"{MLFLOW_ADMIN} / {mlflow_password}")
    table.add_row("metadata store", store, "MongoDB's protocol")
    return table
