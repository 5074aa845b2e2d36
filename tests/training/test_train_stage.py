"""The stage train: from the split table and the clean shards to a model, its history and its MLflow run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from realframe import artifacts
from realframe.config import Params, ResolvedParams
from realframe.data import manifest

SIZE = 48


@pytest.fixture
def run_folder(tmp_path: Path, root: Path, splits: pd.DataFrame, clean: Path, tiny: Params) -> Path:
    """The folder of a run with the outputs of the earlier stages."""
    folder = tmp_path / "run"
    shutil.copytree(clean, folder / artifacts.CLEAN_FRAMES)
    shutil.copytree(root / "pipelines", folder / "pipelines")
    columns = {field.name: field.type for field in manifest.SPLITS_SCHEMA}
    empty = {name: "" if str(kind) == "string" else False if str(kind) == "bool" else 0 for name, kind in columns.items()}
    rows = splits.assign(**{name: value for name, value in empty.items() if name not in splits})
    manifest.write(rows, folder / artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    ResolvedParams(params=tiny, origins={}).save(folder / artifacts.RESOLVED_PARAMS)
    return folder


@pytest.fixture
def environment(tmp_path: Path, root: Path) -> dict[str, str]:
    home = tmp_path / "home"
    python_path = os.pathsep.join([str(root / "src"), os.environ.get("PYTHONPATH", "")])
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return {**inherited, "REALFRAME_ROOT": str(root), "REALFRAME_HOME": str(home), "PYTHONPATH": python_path, "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(folder: Path, environment: dict[str, str], stage: str = "train") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", f"pipelines.{stage}"]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_killed_and_resumed_stage_writes_its_outputs(
    run_folder: Path, environment: dict[str, str], tmp_path: Path, splits: pd.DataFrame, tiny: Params
) -> None:
    with start(run_folder, environment, "extract_features") as before:
        assert "newly computed" in before.communicate(timeout=300)[0]
    with start(run_folder, environment) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if line.startswith("phase 1  epoch 2"):
                os.kill(killed.pid, signal.SIGKILL)
    assert not (run_folder / artifacts.MODEL).exists()
    seen = _metric(tmp_path, "val_loss")

    with start(run_folder, environment) as process:
        output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "resumes after epoch" in output
    assert "residual_cnn starts from random weights" in output

    history = pd.read_csv(run_folder / artifacts.HISTORY)
    expected = ["phase", "epoch", "accuracy", "auc", "loss", "val_accuracy", "val_auc", "val_loss", "learning_rate"]
    assert sorted(history.columns) == sorted(expected)
    assert list(zip(history["phase"], history["epoch"], strict=True)) == [(1, 0), (1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]

    model = keras.models.load_model(run_folder / artifacts.MODEL, compile=False, safe_mode=True)
    assert model.predict(np.zeros((1, SIZE, SIZE, 3), np.float32), verbose=0).shape == (1, 1)

    record = json.loads((run_folder / artifacts.TRAINING).read_text())
    assert (record["recipe"], record["backbone"], record["weights"]) == (tiny.recipe, "residual_cnn", {"name": "random", "sha256": ""})
    assert record["unfrozen"] == ["block3_conv", "block3_relu", "block4_conv", "block4_relu"]
    assert record["best"]["val_loss"] == pytest.approx(history["val_loss"].min())
    assert record["dataset"] == manifest.compute_dataset_digest(splits)
    assert record["counts"]["train"]["items"] == 16
    assert list((tmp_path / "home" / "training").glob("*/")) == []

    assert seen is not None
    assert len(seen) >= 1  # the first epochs were logged before the run ended
    steps = _metric(tmp_path, "val_loss")
    assert steps is not None
    np.testing.assert_allclose([steps[step] for step in sorted(steps)], history["val_loss"], rtol=1e-6)
    assert sorted(steps) == [0, 1, 2, 3, 4, 5]
    _check_mlflow_run(tmp_path, record)


def _client(tmp_path: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{tmp_path / 'home' / 'mlflow.db'}")


def _metric(tmp_path: Path, name: str) -> dict[int, float] | None:
    client = _client(tmp_path)
    experiment = client.get_experiment_by_name("realframe")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1  # also after the second start
    return {metric.step: metric.value for metric in client.get_metric_history(runs[0].info.run_id, name)}


def _check_mlflow_run(tmp_path: Path, record: dict[str, object]) -> None:
    client = _client(tmp_path)
    run = client.get_run(str(record["run_id"]))
    assert run.info.status == "FINISHED"
    assert run.data.params["train.backbone"] == "residual_cnn"
    assert run.data.params["clean.size"] == str(SIZE)
    assert run.data.tags["realframe.dataset"] == record["dataset"]
    assert run.data.tags["mlflow.source.git.commit"]
    digests = {item.tags[0].value: item.dataset.digest for item in run.inputs.dataset_inputs}
    assert digests["training"] == digests["validation"] == str(record["dataset"])[:32]
    logged_files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"params.yaml", "curves.png", "history.csv", "training.json"} <= logged_files
    assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/params.yaml")
