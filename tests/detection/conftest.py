"""A small evaluated run, made by the real parts: media files, their shards, a model, and what the stages of the evidence write."""

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
from tests import small_run
from tests.own_state import embedded_uri, empty_registry, settings, store, three_versions

__all__ = ["embedded_uri", "empty_registry", "settings", "store", "three_versions"]

_STAGES = """
import json, mlflow
from importlib import import_module
from realframe import artifacts
from realframe.registry import experiment
with mlflow.start_run(experiment_id=experiment.connect()) as run:
    record = json.loads(artifacts.TRAINING.read_text()) | {"run_id": run.info.run_id}
artifacts.TRAINING.write_text(json.dumps(record))
for stage in ("extract_features", "hold_out_generators", "measure_robustness", "evaluate", "report"):
    import_module(f"pipelines.{stage}").main()
"""


@dataclass(frozen=True)
class Evaluated:
    """A folder in which the stage ``evaluate`` and those before it ran.

    Attributes:
        folder: the run's.
        splits: its items; their files lie in ``data/raw``.
        log: what the stages printed.
    """

    folder: Path
    splits: pd.DataFrame
    log: str

    def file(self, item: Any) -> Path:
        """The original of a row of ``splits``."""
        return self.folder / artifacts.RAW / str(item.path)

    @property
    def metrics(self) -> dict[str, Any]:
        metrics: dict[str, Any] = json.loads((self.folder / artifacts.METRICS).read_text())
        return metrics


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Evaluated:
    folder = tmp_path_factory.mktemp("run")
    _, splits = small_run.write(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REALFRAME_", "MLFLOW_"))}
    own = {"REALFRAME_ROOT": str(folder), "REALFRAME_HOME": str(folder / "state"), "REALFRAME_WORKERS": "2", "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", _STAGES], cwd=folder, env=kept | own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Evaluated(folder, splits, done.stdout + done.stderr)
