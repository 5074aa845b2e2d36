"""``realframe up`` starts the services, prints their addresses, and stops all processes on Ctrl-C."""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest

from realframe.errors import SetupError
from realframe.services.local_services import run_services
from realframe.settings import Settings
from tests.trained_checkout import TrainedCheckout

pytestmark = pytest.mark.timeout(900)
# of the kind that MLflow's pages of experiments and runs send; it fails with graphene 2
QUERY = "query Get($input: MlflowGetExperimentInput!) { mlflowGetExperiment(input: $input) { experiment { name } } }"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _json(url: str, body: dict | None = None, authorization: str = "") -> dict:
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def _read_until_ready(process: subprocess.Popen[str]) -> str:
    printed = ""
    while "metadata store" not in printed and (line := process.stdout.readline()):
        printed += line
    return printed


def test_services_start_answer_and_stop_together(trained_checkout: TrainedCheckout) -> None:
    airflow, mlflow = _free_port(), _free_port()
    command = [sys.executable, "-m", "realframe", "up", "--airflow-port", str(airflow), "--mlflow-port", str(mlflow)]
    env = {**trained_checkout.env, "COLUMNS": "200"}
    process = subprocess.Popen(command, cwd=trained_checkout.root, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        printed = _read_until_ready(process)
        assert f"http://127.0.0.1:{airflow}" in printed
        password = re.search(r"admin / (\S+)", printed)[1]
        token = _json(f"http://127.0.0.1:{airflow}/auth/token", {"username": "admin", "password": password})["access_token"]
        dags = _await_dags(f"http://127.0.0.1:{airflow}/api/v2/dags", token)
        assert dags == {"prepare_data", "train_model", "review_model", "watch_drift", "score_media"}
        account = re.search(rf"127\.0\.0\.1:{mlflow}\S* .*?(admin) / (\S+)", printed)
        basic = "Basic " + base64.b64encode(":".join(account.groups()).encode()).decode()
        url = f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/registered-models/get?name=realframe"
        registered = _json(url, authorization=basic)
        assert registered["registered_model"]["aliases"] == [{"alias": "champion", "version": "1"}]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            _json(url)
        query = {"query": QUERY, "variables": {"input": {"experimentId": "1"}}}
        answer = _json(f"http://127.0.0.1:{mlflow}/graphql", query, basic)
        assert answer["data"]["mlflowGetExperiment"]["experiment"]["name"] == "realframe"
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert psutil.wait_procs(family, timeout=30)[1] == []
    finally:
        process.kill()
        process.stdout.close()


def _await_dags(url: str, token: str) -> set[str]:
    deadline = time.monotonic() + 60
    while not (dags := {dag["dag_id"] for dag in _json(url, authorization=f"Bearer {token}")["dags"]}) and time.monotonic() < deadline:
        time.sleep(1)
    return dags


def test_a_port_in_use_is_named_with_its_hint(trained_checkout: TrainedCheckout) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        port = occupied.getsockname()[1]
        with pytest.raises(SetupError, match=f"port {port}.*--airflow-port"):
            run_services(
                Settings(root=trained_checkout.root, home=trained_checkout.root / ".realframe"), airflow_port=port, mlflow_port=_free_port()
            )
