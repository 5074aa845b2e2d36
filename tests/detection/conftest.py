"""A small evaluated run, made by the real stages: media files, their shards, a model, and its evaluation."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from realframe import artifacts
from tests import run_folder, small_run
from tests.state_fixtures import embedded_uri, empty_registry, settings, store, three_versions

__all__ = ["embedded_uri", "empty_registry", "settings", "store", "three_versions"]

_STAGES = """
import json, mlflow
from importlib import import_module
from realframe import artifacts
from realframe.registry import mlflow_runs
with mlflow.start_run(experiment_id=mlflow_runs.connect()) as run:
    record = json.loads(artifacts.TRAINING.read_text()) | {"run_id": run.info.run_id}
artifacts.TRAINING.write_text(json.dumps(record))
for stage in ("extract_features", "hold_out_generators", "hold_out_sources", "measure_robustness", "evaluate", "report"):
    import_module(f"pipelines.{stage}").main()
"""


@dataclass(frozen=True)
class EvaluatedRun:
    """The folder of a run up to the stage ``report``.

    Attributes:
        folder: of the run.
        splits: its items; their files are in ``data/raw``.
        log: what the stages printed.
    """

    folder: Path
    splits: pd.DataFrame
    log: str

    def media_path(self, item: Any) -> Path:
        """Return the original of a row of ``splits``."""
        return self.folder / artifacts.RAW_MEDIA / str(item.path)

    @property
    def metrics(self) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads((self.folder / artifacts.METRICS).read_text())
        return metrics


@pytest.fixture(scope="session")
def evaluated_run(tmp_path_factory: pytest.TempPathFactory, root: Path) -> EvaluatedRun:
    folder = tmp_path_factory.mktemp("run")
    _, splits = small_run.write_small_run(folder)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REALFRAME_", "MLFLOW_"))}
    own = {"REALFRAME_ROOT": str(folder), "REALFRAME_HOME": str(folder / "state"), "REALFRAME_WORKERS": "2"}
    own["PYTHONPATH"] = os.pathsep.join([str(root / "src"), str(root)])
    done = subprocess.run([sys.executable, "-c", _STAGES], cwd=folder, env=environment | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return EvaluatedRun(folder, splits, done.stdout + done.stderr)


@pytest.fixture(scope="session")
def detail_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose detector calls pictures with fine detail AI-generated, and gives no verdict on videos."""
    folder = tmp_path_factory.mktemp("detail")
    run_folder.write_training(folder, run_folder.write_dataset(folder, 90))
    run_folder.set_verdicts(folder, image="", video="low-roc-auc")
    run_folder.write_pixel_model(folder, 40.0, -6.0, measures_detail=True)
    return folder
