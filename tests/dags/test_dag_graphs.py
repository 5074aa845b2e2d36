"""The DAGs as Airflow parses them: graphs from dvc.yaml, forms that validate, and no heavy imports."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from realframe.runs.stage_graph import stages_for_dag
from realframe.services.airflow_home import airflow_environment
from realframe.settings import Settings

PARSE = """
import datetime, json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction
bag = DagBag()
def first_run(dag):
    # seconds from now to the first scheduled run, as the scheduler computes it; None without a schedule
    scheduled = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    restriction = TimeRestriction(earliest=dag.start_date, latest=None, catchup=dag.catchup)
    info = scheduled.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    return info and (info.run_after - datetime.datetime.now(datetime.UTC)).total_seconds()
heavy = [name for name in ("tensorflow", "keras", "pandas", "mlflow", "sklearn") if name in sys.modules]
dags = {
    dag.dag_id: {
        "edges": sorted([task.task_id, below] for task in dag.tasks for below in task.downstream_task_ids),
        "form": {name: dag.params.get_param(name).schema for name in dag.params},
        "schedule": type(dag.timetable).__name__,
        "paused": dag.is_paused_upon_creation,
        "runs": dag.max_active_runs,
        "catchup": dag.catchup,
        "reports": [callback.__name__ for callback in [dag.on_failure_callback] if callback],
        "first_run": first_run(dag),
    }
    for dag in bag.dags.values()
}
print("PARSED", json.dumps({"dags": dags, "errors": bag.import_errors, "heavy": heavy}))
"""


@pytest.fixture(scope="module")
def parsed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    settings = Settings(root=root, home=tmp_path_factory.mktemp("state"))
    done = subprocess.run([sys.executable, "-c", PARSE], env=airflow_environment(settings), capture_output=True, text=True, check=True)
    return json.loads(done.stdout.split("PARSED", 1)[1])


def test_all_dags_parse_without_heavy_imports(parsed: dict) -> None:
    assert parsed["errors"] == {}
    assert parsed["heavy"] == []
    assert set(parsed["dags"]) == {"prepare_data", "train_model", "review_model", "watch_drift", "score_media"}


@pytest.mark.parametrize(
    ("dag", "first", "last"), [("prepare_data", "open_run", "commit_run"), ("train_model", "open_run", "register_model")]
)
def test_the_task_graph_equals_that_of_dvc_yaml(parsed: dict, root: Path, dag: str, first: str, last: str) -> None:
    stages = stages_for_dag(root / "dvc.yaml", dag)
    names = {stage.name for stage in stages}
    edges = {tuple(edge) for edge in parsed["dags"][dag]["edges"]}
    assert {edge for edge in edges if set(edge) <= names} == {(before, stage.name) for stage in stages for before in stage.upstream}
    assert {below for above, below in edges if above == first} == {stage.name for stage in stages if not stage.upstream}
    assert {above for above, below in edges if below == last}
    assert {name for edge in edges for name in edge} == names | {first, last}


def test_the_form_of_train_model_offers_the_recipes_and_epochs(parsed: dict, root: Path) -> None:
    form = parsed["dags"]["train_model"]["form"]
    assert set(form["recipe"]["enum"]) == {None, *(path.stem for path in (root / "recipes").glob("*.yaml"))}
    assert form["phase1_epochs"]["minimum"] == 1


def test_score_media_has_three_tasks_and_its_form_refuses_invalid_names(parsed: dict) -> None:
    dag = parsed["dags"]["score_media"]
    assert dag["edges"] == [["list_files", "score_shard"], ["score_shard", "gather_scores"]]
    assert dag["form"]["shard_size"]["minimum"] == 1
    named = re.compile(dag["form"]["name"]["pattern"])
    assert [bool(named.search(name)) for name in ("", "news-2026.1", "../x", ".hidden", "a b", "x" * 81)] == [True, True] + 4 * [False]


def test_schedules(parsed: dict) -> None:
    schedule = {name: dag["schedule"] for name, dag in parsed["dags"].items()}
    assert "Asset" in schedule["train_model"]
    assert "Asset" in schedule["review_model"]
    assert schedule["prepare_data"] == "AssetOrTimeSchedule"
    assert "Asset" not in schedule["watch_drift"]
    assert schedule["score_media"] == "NullTimetable"


def test_all_dags_run_from_the_start_and_report_failures(parsed: dict) -> None:
    for name, dag in parsed["dags"].items():
        assert dag["paused"] is False, name
        assert dag["catchup"] is False, name
        assert dag["reports"] == ["report_failure"], name
        assert dag["runs"] == (16 if name == "review_model" else 1), name


def test_a_new_dag_waits_for_its_next_full_hour_or_day(parsed: dict) -> None:
    waits = {name: dag["first_run"] for name, dag in parsed["dags"].items() if dag["first_run"] is not None}
    assert set(waits) == {"prepare_data", "watch_drift"}
    # within a minute after the time itself, the run of that time starts
    assert -60 < waits["watch_drift"] <= 3600 and -60 < waits["prepare_data"] <= 86_400
