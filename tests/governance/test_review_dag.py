"""What the DAG makes of each answer of a reviewer: the very task, without Airflow's server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from realframe.governance import ledger
from realframe.registry import model_registry
from realframe.services.airflow_home import environment
from realframe.settings import Settings
from realframe.store.repository import Store
from tests.governance.asked import WHY

ANSWER = """
import json, sys
from dags.review_model import record_decision

class Task:
    def xcom_pull(self, task_ids):
        return said

for version, said in json.loads(sys.argv[1]):
    try:
        print(record_decision.function({"version": version}, ti=Task()))
    except Exception as error:
        print("REFUSED", error)
"""


def said(option: str, name: str = "demo", **fields: str) -> dict:
    return {"chosen_options": [option], "responded_by_user": {"id": name, "name": name}, "params_input": fields}


@pytest.mark.usefixtures("three_versions")
def test_each_answer_ends_in_the_ledger(store: Store, settings: Settings, root: Path) -> None:
    answers = [
        (1, said("Approve", comment="good")),
        (1, said("Approve", comment="good", override=WHY)),
        (2, said("Reject", comment="not this one")),
        (2, said("Ask for changes")),
        (3, said("Ask for changes", comment="more clips")),
        (3, None),
    ]
    variables = environment(Settings(root=root, home=settings.state))
    own = {name: os.environ[name] for name in ("REALFRAME_ROOT", "REALFRAME_HOME", "MONGODB_URI", "MLFLOW_TRACKING_URI")}
    command = [sys.executable, "-c", ANSWER, json.dumps(answers)]
    done = subprocess.run(command, cwd=root, env={**os.environ, **variables, **own}, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith(("REFUSED", "approve", "reject", "changes"))]
    assert [line.split(":")[0] for line in lines] == [
        "REFUSED version 1",
        "approve",
        "reject",
        "REFUSED version 2",
        "changes",
        "REFUSED version 3",
    ]
    assert "does not meet" in lines[0] and "asking for changes needs a comment" in lines[3] and "nobody decided in time" in lines[5]
    chain = ledger.entries(store)
    assert [(entry.action, entry.reviewer, entry.via, entry.authenticated) for entry in chain] == [
        ("approve", "demo", "airflow", "airflow"),
        ("reject", "demo", "airflow", "airflow"),
        ("changes", "demo", "airflow", "airflow"),
        ("timeout", "", "airflow", "none"),
    ]
    assert chain[0].reason == WHY and chain[0].overrides
    assert model_registry.by_alias("champion") == model_registry.get(1)
    assert model_registry.by_alias("challenger") is None
