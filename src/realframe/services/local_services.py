"""Start Airflow, the MLflow server and the metadata store together, and stop them on Ctrl-C."""

import os
import secrets
import signal
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

from realframe.errors import SetupError
from realframe.notifications import list_notification_services
from realframe.permissions import load_secret, open_private_file, open_private_folder, write_private_text
from realframe.presentation.terminal_table import make_table
from realframe.registry import mlflow_runs, mlflow_server
from realframe.services import airflow_home
from realframe.services.service_accounts import SERVICE_ACCOUNT, list_airflow_users, mlflow_database
from realframe.settings import Settings, hide_password
from realframe.store.repository import open_store
from realframe.web.listen_address import require_free_port

_HOST = "127.0.0.1"
_PASSWORD_FILE = "admin_password"  # noqa: S105 (the name of a file: the password of MLflow's administrator)
_READY_S = 120
_STOP_S = 20


def run_services(settings: Settings, *, airflow_port: int, mlflow_port: int) -> None:
    """Run the services until Ctrl-C or SIGTERM, or until one of them ends.

    Where MLFLOW_TRACKING_URI or the DagsHub repository names a server, it is used, and no other MLflow is started. Raises SetupError.
    """
    settings.require_checkout()
    console = Console()
    airflow, mlflow = f"http://{_HOST}:{airflow_port}", _find_mlflow_server(settings)
    require_free_port(_HOST, airflow_port, "--airflow-port")
    if not mlflow:
        require_free_port(_HOST, mlflow_port, "--mlflow-port")
    list_notification_services(settings)  # raises where an address is not valid, before anything is started
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as services:
        try:
            store = services.enter_context(open_store(settings))
            experiment = mlflow_runs.connect(settings)  # raises where the server does not answer
            started: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
            if mlflow:
                mlflow_row = (hide_password(mlflow), "your account of that server")
            else:
                environment = _mlflow_environment(settings)
                mlflow_row = (f"http://{_HOST}:{mlflow_port}", f"{SERVICE_ACCOUNT} / {environment['MLFLOW_AUTH_ADMIN_PASSWORD']}")
                process = services.enter_context(_service("mlflow", _mlflow_command(settings, mlflow_port), environment, settings))
                started["MLflow"] = (process, f"{mlflow_row[0]}/health")
            users = list_airflow_users(store)
            passwords = airflow_home.load_passwords(settings, users)
            environment = airflow_home.airflow_environment(settings, airflow_port, users)
            process = services.enter_context(_service("airflow", [sys.executable, "-m", "airflow", "standalone"], environment, settings))
            started["Airflow"] = (process, f"{airflow}/api/v2/monitor/health")
            with console.status(f"starting {' and '.join(started)} (10 to 20 seconds) ...", spinner="line"):  # ASCII, for any terminal
                for process, url in started.values():
                    _wait_until_ready(url, process, settings)
            # without the query, MLflow's pages open as those of a GenAI application in a new browser, whatever the experiment's kind
            mlflow_page = f"{mlflow_row[0]}/#/experiments/{experiment}?workflowType=machine_learning"
            rows = [
                ("Airflow", airflow, "\n".join(f"{name} / {passwords[name]}" for name in ("admin", "reviewer"))),
                ("MLflow", mlflow_page, mlflow_row[1]),
                ("metadata store", store.address, "MongoDB's protocol"),
            ]
            title = "realframe is running; Ctrl-C stops all services"
            console.print(make_table(("service", "address", "sign in as"), rows, title=title))
            _print_password_places(console, settings, has_own_mlflow=not mlflow)
            if paused := airflow_home.list_paused_dags(settings):
                console.print(f"Paused in Airflow, so neither a schedule nor a trigger runs them: {', '.join(paused)}")
            while all(process.poll() is None for process, _ in started.values()):
                time.sleep(0.5)
            ended = next(name for name, (process, _) in started.items() if process.poll() is not None)
            raise SetupError(ended, "ended unexpectedly", f"Its log is in {settings.state_dir / 'logs'}.")
        except KeyboardInterrupt:
            console.print("\nstopping ...")


def _find_mlflow_server(settings: Settings) -> str:
    """Return the address of the MLflow server that the settings name; empty where they name a database or nothing."""
    address = mlflow_server.find_address(settings)
    return address if address.lower().startswith(("http://", "https://", "databricks")) else ""


def _mlflow_command(settings: Settings, port: int) -> list[str]:
    artifacts = ["--artifacts-destination", str(open_private_folder(settings.state_dir / "mlartifacts"))]
    return [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", *artifacts, "--host", "127.0.0.1", "--port", str(port)]


def _mlflow_environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the MLflow server, which asks for an account: each user of the machine can connect to its port."""
    folder = open_private_folder(settings.state_dir / "mlflow")
    config = ConfigParser(interpolation=None)
    database_uri = mlflow_database(settings).replace("%", "%%")  # MLflow reads the file with interpolation
    config["mlflow"] = {"default_permission": "READ", "database_uri": database_uri, "admin_username": SERVICE_ACCOUNT}
    text = StringIO()
    config.write(text)
    write_private_text(folder / "basic_auth.ini", text.getvalue())
    return {
        **os.environ,
        "MLFLOW_BACKEND_STORE_URI": settings.tracking_uri,  # it may hold a password, which each user could read in the process list
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "basic_auth.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": load_secret(folder / _PASSWORD_FILE, lambda: secrets.token_urlsafe(9)),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": load_secret(folder / "secret_key"),
        "MLFLOW_WORKERS": "1",  # one person uses it
    }


@contextmanager
def _service(name: str, command: list[str], environment: dict[str, str], settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service in its own process session, so that Ctrl-C in the terminal does not reach it directly."""
    log = open_private_folder(settings.state_dir / "logs") / f"{name}.log"
    # MLflow's job runner is not used and doubles its memory
    environment = {**environment, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
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


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], settings: Settings) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.3)
    raise SetupError(url, "does not answer", f"Its log is in {Path(settings.state_dir) / 'logs'}.")


def _print_password_places(console: Console, settings: Settings, *, has_own_mlflow: bool) -> None:
    """Print where the password of each account is; lines are not broken, so that the paths can be copied."""
    places = [f"Passwords of all accounts in Airflow: {airflow_home.airflow_home(settings) / airflow_home.PASSWORDS_FILE}"]
    if has_own_mlflow:
        places.append(f"Password of {SERVICE_ACCOUNT} in MLflow: {settings.state_dir / 'mlflow' / _PASSWORD_FILE}")
    places.append("Password of admin on the web page: the first start of `realframe serve` prints it")
    places.append("Further accounts, with equal roles in each: realframe users add NAME --role analyst|reviewer|admin")
    for line in places:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
