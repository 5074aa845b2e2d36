"""MLflow runs: created without set-up and by several processes at once, resumed, and failed if the block raises."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from realframe import artifacts
from realframe.registry import mlflow_runs
from realframe.settings import MLFLOW_DATABASE, Settings
from tests import run_folder

PARAMS = {"recipe": "efficientnetb0", "train": {"backbone": "efficientnetb0", "augment": {"flip": True}}}


@pytest.fixture
def tracking_store(empty_registry: Path) -> MlflowClient:
    """An empty tracking store, which the code under test uses."""
    mlflow_runs.connect()
    return MlflowClient()


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    run_folder.write_dataset(tmp_path, 90)
    return tmp_path / artifacts.SPLITS


def test_a_run_stores_params_metrics_and_tags(tracking_store: MlflowClient, splits: Path) -> None:
    with mlflow_runs.start_mlflow_run("efficientnetb0", PARAMS, splits, "d" * 64, "t" * 12, {"note": "x"}) as run_id:
        for step, loss in enumerate((0.7, 0.6), start=1):
            mlflow_runs.log_epoch({"phase": 1, "epoch": step, "loss": loss}, step)
        live = tracking_store.get_metric_history(run_id, "loss")

    assert [(metric.step, metric.value) for metric in live] == [(1, 0.7), (2, 0.6)]
    run = tracking_store.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert re.fullmatch(r"efficientnetb0 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d data dddddddd", run.info.run_name)
    assert run.data.params == {"recipe": "efficientnetb0", "train.backbone": "efficientnetb0", "train.augment.flip": "True"}
    assert (run.data.tags["realframe.dataset"], run.data.tags["note"]) == ("d" * 64, "x")
    assert "train:\n" in mlflow.artifacts.load_text(f"{run.info.artifact_uri}/params.yaml")


def test_the_sources_of_a_run_outlive_its_folder(tracking_store: MlflowClient, splits: Path, tmp_path: Path) -> None:
    with mlflow_runs.start_mlflow_run("r", PARAMS, splits, "d" * 64, "t" * 12) as run_id:
        pass
    run = tracking_store.get_run(run_id)
    inputs = {item.tags[0].value: item.dataset for item in run.inputs.dataset_inputs}
    assert {context: item.digest for context, item in inputs.items()} == {
        "training": "d" * 32,
        "validation": "d" * 32,
        "test": "t" * 12,  # the locked split
    }
    assert (inputs["test"].name, json.loads(inputs["test"].profile)["num_rows"]) == ("test split", 22)
    rows = splits.read_bytes()
    splits.unlink()
    assert Path(mlflow.data.get_source(inputs["test"]).load()).read_bytes() == rows

    tags = run.data.tags
    assert (tags["mlflow.source.name"], tags["mlflow.source.type"]) == ("pipelines/train.py", "LOCAL")
    assert not any(str(tmp_path) in value for value in [*tags.values(), *(item.source for item in inputs.values())])


def test_the_experiment_opens_as_model_training_also_one_of_an_earlier_version(tracking_store: MlflowClient, settings: Settings) -> None:
    found = tracking_store.get_experiment_by_name(mlflow_runs.EXPERIMENT)
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"

    tracking_store.delete_experiment_tag(found.experiment_id, "mlflow.experimentKind")
    mlflow_runs._experiment_ids.clear()  # as in a new process
    mlflow_runs.connect(settings)
    assert tracking_store.get_experiment(found.experiment_id).tags["mlflow.experimentKind"] == "custom_model_development"


def test_telemetry_is_off_in_a_process_that_imports_the_registry() -> None:
    code = "import realframe.registry; from mlflow.telemetry.utils import is_telemetry_disabled as off; print(off())"
    ignored = ("MLFLOW_DISABLE_TELEMETRY", "CI", "PYTEST_CURRENT_TEST")
    environment = {name: value for name, value in os.environ.items() if name not in ignored}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


def test_the_artifacts_of_the_embedded_store_are_in_the_state_folder(settings: Settings) -> None:
    (settings.state_dir / MLFLOW_DATABASE).unlink()
    mlflow_runs.connect(settings)  # a new store
    found = MlflowClient().get_experiment_by_name(mlflow_runs.EXPERIMENT)

    assert found is not None
    assert found.artifact_location == (settings.state_dir / "mlartifacts").as_uri()


def test_a_run_whose_block_raises_is_failed(tracking_store: MlflowClient, splits: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"), mlflow_runs.start_mlflow_run("r", PARAMS, splits, "d" * 12, "t" * 12) as run_id:
        raise RuntimeError("broken")

    assert tracking_store.get_run(run_id).info.status == "FAILED"


def test_a_run_is_resumed(tracking_store: MlflowClient, splits: Path) -> None:
    with mlflow_runs.start_mlflow_run("r", PARAMS, splits, "d" * 12, "t" * 12) as run_id:
        pass
    with mlflow_runs.start_mlflow_run("r", PARAMS, splits, "d" * 12, "t" * 12, run_id=run_id) as same:
        mlflow.log_metric("late", 1)
    with mlflow_runs.resume_mlflow_run(run_id):
        mlflow.log_metric("evaluated", 2)

    assert same == run_id
    run = tracking_store.get_run(run_id)
    assert (run.data.metrics["late"], run.data.metrics["evaluated"], run.info.status) == (1, 2, "FINISHED")


def test_a_missing_or_deleted_run_does_not_exist(tracking_store: MlflowClient, splits: Path) -> None:
    with mlflow_runs.start_mlflow_run("r", PARAMS, splits, "d" * 12, "t" * 12) as run_id:
        pass
    assert mlflow_runs.run_exists(run_id)
    assert not mlflow_runs.run_exists("0" * 32)

    tracking_store.delete_run(run_id)
    assert not mlflow_runs.run_exists(run_id)


def test_processes_that_create_a_store_at_once_get_one_experiment(tmp_path: Path, root: Path) -> None:
    code = "from realframe.registry import mlflow_runs; print('id', mlflow_runs.connect())"
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment |= {"REALFRAME_ROOT": str(root), "REALFRAME_HOME": str(tmp_path / "home")}
    began = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=300) for process in began]

    assert [process.returncode for process in began] == [0, 0, 0], answers
    assert len({line for out, _ in answers for line in out.splitlines() if line.startswith("id ")}) == 1


def test_system_metrics_are_logged(tracking_store: MlflowClient, splits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_runs, "_SYSTEM_METRICS_S", 0.2)
    with mlflow_runs.start_mlflow_run("r", PARAMS, splits, "d" * 12, "t" * 12) as run_id:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and "system/cpu_utilization_percentage" not in tracking_store.get_run(run_id).data.metrics:
            time.sleep(0.2)

    assert "system/cpu_utilization_percentage" in tracking_store.get_run(run_id).data.metrics
