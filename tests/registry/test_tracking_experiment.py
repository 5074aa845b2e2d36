"""Runs in MLflow: made with nothing set up, by several processes at once, gone on with, and truthful about their end."""

import os
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from realframe.registry import mlflow_runs
from realframe.settings import Settings

PARAMS = {"recipe": "efficientnetb0", "train": {"backbone": "efficientnetb0", "augment": {"flip": True}}}


@pytest.fixture
def own_store(empty_registry: Path) -> MlflowClient:
    """A tracking store without runs that the code under test takes for its own."""
    mlflow_runs.connect()
    return MlflowClient()


@pytest.fixture
def splits(tmp_path: Path) -> Path:
    file = tmp_path / "splits.parquet"
    file.write_bytes(b"rows")
    return file


def test_a_run_keeps_what_it_was_told(own_store: MlflowClient, splits: Path) -> None:
    with mlflow_runs.open_run("efficientnetb0", PARAMS, splits, "d" * 64, {"note": "x"}) as run_id:
        for step, loss in enumerate((0.7, 0.6), start=1):
            mlflow_runs.log_epoch({"phase": 1, "epoch": step, "loss": loss}, step)
        live = own_store.get_metric_history(run_id, "loss")

    assert [(metric.step, metric.value) for metric in live] == [(1, 0.7), (2, 0.6)]
    run = own_store.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "efficientnetb0"
    assert run.data.params == {"recipe": "efficientnetb0", "train.backbone": "efficientnetb0", "train.augment.flip": "True"}
    assert (run.data.tags["realframe.data"], run.data.tags["note"]) == ("d" * 64, "x")
    assert "train:\n" in mlflow.artifacts.load_text(f"{run.info.artifact_uri}/params.yaml")


def test_the_artifacts_of_the_embedded_store_lie_in_the_state_folder(settings: Settings) -> None:
    mlflow_runs.connect(settings)  # a new store
    found = MlflowClient().get_experiment_by_name(mlflow_runs.EXPERIMENT)

    assert found is not None
    assert found.artifact_location == (settings.state / "mlartifacts").as_uri()


def test_a_run_whose_training_fails_has_failed(own_store: MlflowClient, splits: Path) -> None:
    with pytest.raises(RuntimeError, match="broken"), mlflow_runs.open_run("r", PARAMS, splits, "d" * 12) as run_id:
        raise RuntimeError("broken")

    assert own_store.get_run(run_id).info.status == "FAILED"


def test_a_run_is_gone_on_with(own_store: MlflowClient, splits: Path) -> None:
    with mlflow_runs.open_run("r", PARAMS, splits, "d" * 12) as run_id:
        pass
    with mlflow_runs.open_run("r", PARAMS, splits, "d" * 12, run_id=run_id) as same:
        mlflow.log_metric("late", 1)
    with mlflow_runs.resume_run(run_id):
        mlflow.log_metric("evaluated", 2)

    assert same == run_id
    run = own_store.get_run(run_id)
    assert (run.data.metrics["late"], run.data.metrics["evaluated"], run.info.status) == (1, 2, "FINISHED")


def test_only_a_run_that_is_there_exists(own_store: MlflowClient, splits: Path) -> None:
    with mlflow_runs.open_run("r", PARAMS, splits, "d" * 12) as run_id:
        pass
    assert mlflow_runs.exists(run_id)
    assert not mlflow_runs.exists("0" * 32)

    own_store.delete_run(run_id)
    assert not mlflow_runs.exists(run_id)


def test_processes_that_first_touch_a_new_store_together_all_get_one_experiment(tmp_path: Path, root: Path) -> None:
    code = "from realframe.registry import experiment; print('id', experiment.connect())"
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    environment |= {"REALFRAME_ROOT": str(root), "REALFRAME_HOME": str(tmp_path / "home")}
    began = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=300) for process in began]

    assert [process.returncode for process in began] == [0, 0, 0], answers
    assert len({line for out, _ in answers for line in out.splitlines() if line.startswith("id ")}) == 1


def test_the_machines_load_is_measured(own_store: MlflowClient, splits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_runs, "_SYSTEM_METRICS_S", 0.2)
    with mlflow_runs.open_run("r", PARAMS, splits, "d" * 12) as run_id:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and "system/cpu_utilization_percentage" not in own_store.get_run(run_id).data.metrics:
            time.sleep(0.2)

    assert "system/cpu_utilization_percentage" in own_store.get_run(run_id).data.metrics
