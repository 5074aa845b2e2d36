"""The task ``record_decision`` for each answer of a reviewer, without Airflow's server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from realframe.governance import gate_results, ledger
from realframe.registry import model_registry
from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings
from realframe.store.repository import Store
from tests.governance.cli_decisions import OVERRIDE_REASON

ANSWER = """
import json, sys
from dags.review_model import record_decision

class Task:
    def xcom_pull(self, task_ids):
        return answer

for version, answer in json.loads(sys.argv[1]):
    try:
        print(record_decision.function({"version": version}, ti=Task()))
    except Exception as error:
        print("REFUSED", error)
"""


SUMMARY = """
from dags.review_model import build_review_summary, check_gate

version = check_gate.function(triggering_asset_events={}, params={"version": None})
print("VERSION", version)
print(build_review_summary.function(version)["markdown"])
"""


def run_code(code: str, *arguments: str, settings: Settings, root: Path) -> str:
    """Run code in a process with Airflow's environment, on the state of the test; return what it prints."""
    variables = airflow_environment(Settings(root=root, home=settings.state_dir))
    own = {name: os.environ[name] for name in ("REALFRAME_ROOT", "REALFRAME_HOME", "MONGODB_URI", "MLFLOW_TRACKING_URI")}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=root, env={**os.environ, **variables, **own}, capture_output=True, text=True, check=True).stdout


def answer(option: str, name: str = "demo", **fields: str) -> dict:
    return {"chosen_options": [option], "responded_by_user": {"id": name, "name": name}, "params_input": fields}


@pytest.mark.usefixtures("three_versions")
def test_each_answer_is_recorded_in_the_ledger(store: Store, settings: Settings, root: Path) -> None:
    answers = [
        (1, answer("Approve", comment="good")),
        (1, answer("Approve", comment="good", override=OVERRIDE_REASON)),
        (2, answer("Reject", comment="not this one")),
        (2, answer("Ask for changes")),
        (3, answer("Ask for changes", comment="more clips")),
        (3, None),
    ]
    printed = run_code(ANSWER, json.dumps(answers), settings=settings, root=root)
    lines = [line for line in printed.splitlines() if line.startswith(("REFUSED", "approve", "reject", "request_changes"))]
    assert [line.split(":")[0] for line in lines] == [
        "REFUSED version 1",
        "approve",
        "reject",
        "REFUSED version 2",
        "request_changes",
        "REFUSED version 3",
    ]
    assert "does not meet" in lines[0] and "asking for changes needs a comment" in lines[3] and "the review timed out" in lines[5]
    chain = ledger.list_entries(store)
    assert [(entry.action, entry.reviewer, entry.channel, entry.authentication) for entry in chain] == [
        ("approve", "demo", "airflow", "airflow"),
        ("reject", "demo", "airflow", "airflow"),
        ("request_changes", "demo", "airflow", "airflow"),
        ("timeout", "", "airflow", "none"),
    ]
    assert chain[0].override_reason == OVERRIDE_REASON and chain[0].overrides
    assert model_registry.find_by_alias("champion") == model_registry.get_version(1)
    assert model_registry.find_by_alias("challenger") is None


@pytest.mark.usefixtures("three_versions")
def test_the_review_task_reads_the_result_that_the_task_before_it_stored(store: Store, settings: Settings, root: Path) -> None:
    printed = run_code(SUMMARY, settings=settings, root=root)
    result = gate_results.find_gate_result(3, store)
    assert result and "VERSION 3" in printed and result.headline in printed
    assert all(f"| {rule.name} |" in printed for rule in result.rules)
