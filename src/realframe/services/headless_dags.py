"""Run DAGs one after another in this process, without Airflow's server: for the demo, the tests, or a cron job.

``python -m realframe.services.headless_dags prepare_data train_model review_model --approve-as demo --override "it is a demo"``
"""

import argparse
import json
import sys
import threading
import time
import warnings
from datetime import UTC, datetime
from functools import cache
from typing import Any

from realframe.governance.review_question import APPROVE
from realframe.services.airflow_home import load_passwords
from realframe.settings import Settings, get_settings
from realframe.threads import prepare_import

_ANSWER_DELAY_S = 2.0  # Airflow 3.3.2 fails a task that is answered within a second


def main(arguments: list[str]) -> int:
    """Run the named DAGs; return 0 if all succeed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dags", nargs="+")
    parser.add_argument("--conf", type=json.loads, default={}, help="JSON: the form values of the first DAG")
    parser.add_argument("--approve-as", help="answer the review with Approve, as this Airflow user")
    parser.add_argument("--override", default="", help="why unmet gate rules do not count; empty: unmet rules stop the approval")
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", message="Using `httpx` with `starlette.testclient`")  # a warning about Airflow's own code
    conf = options.conf
    prepare_import()
    _prepare_database()
    for dag_id in options.dags:
        is_over = threading.Event()
        if dag_id == "review_model" and options.approve_as:
            answer_arguments = {"user": options.approve_as, "settings": get_settings(), "override": options.override, "is_over": is_over}
            threading.Thread(target=answer_reviews, kwargs=answer_arguments, daemon=True).start()
        try:
            state = run_dag(dag_id, conf)
        finally:
            is_over.set()
        print(f"{dag_id}: {state}", flush=True)
        if state != "success":
            return 1
        conf = {}
    return 0


def run_dag(dag_id: str, conf: dict[str, Any]) -> str:
    """Run one DAG to its end and return its state, such as ``success``."""
    from airflow.dag_processing.dagbag import DagBag

    _prepare_database()
    bag = DagBag()
    if bag.import_errors:
        raise ImportError(str(bag.import_errors))
    dag = bag.dags[dag_id]
    dag.deadline = None  # nobody reads a reminder here, and Airflow 3.3.2 cannot end such a run
    return str(dag.test(run_conf=conf).state)


@cache
def _prepare_database() -> None:
    """Migrate Airflow's database, once: migrating closes all sessions, also those of the thread that answers."""
    from airflow.utils.db import initdb

    initdb()


def answer_reviews(user: str, settings: Settings, *, is_over: threading.Event, override: str = "") -> None:
    """Approve through Airflow's API as ``user`` whatever is asked from now on, also after a refusal, until ``is_over`` is set."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    start = datetime.now(UTC)
    password = load_passwords(settings)[user]  # first: Airflow prints the passwords that it creates itself
    with TestClient(create_app(apps="all")) as client:
        token = client.post("/auth/token", json={"username": user, "password": password}).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        fields = {"comment": "answered by the headless run", "override": override}
        while not is_over.wait(0.5):
            for question in _open_questions(client, headers):
                if datetime.fromisoformat(question["created_at"]) < start:
                    continue  # it belongs to a run of the server
                time.sleep(_ANSWER_DELAY_S)
                task = question["task_instance"]
                path = f"/api/v2/dags/{task['dag_id']}/dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/-1/hitlDetails"
                client.patch(path, headers=headers, json={"chosen_options": [APPROVE], "params_input": fields}).raise_for_status()


def _open_questions(client: Any, headers: dict[str, str]) -> list[dict[str, Any]]:
    response = client.get("/api/v2/dags/~/dagRuns/~/hitlDetails", params={"response_received": False}, headers=headers)
    return list(response.raise_for_status().json()["hitl_details"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
