"""Log to an MLflow run where its code and its data are, and its splits as datasets; name the run.

Sources name what stays: the commit and its branch, and the split table as an artifact of the run. A pipeline run works in a worktree that
is deleted at its end, so no path into it is logged.
"""

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import register_dataset_source
from mlflow.data.pandas_dataset import from_pandas

from realframe.settings import hide_password

_CONTEXTS = {"train": "training", "val": "validation", "test": "test"}
_FOLDER = "dataset"
_COLUMNS = ["media_id", "path", "kind", "label", "generator", "source", "cluster"]
_DIGEST_LENGTH = 32  # MLflow refuses a dataset digest over 36 characters


class RunArtifactSource(DatasetSource):
    """A dataset that is an artifact of an MLflow run."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @staticmethod
    def _get_source_type() -> str:
        return "mlflow_run_artifact"

    def load(self, **_: Any) -> str:
        """Download the artifact and return its path."""
        return str(mlflow.artifacts.download_artifacts(self._uri))

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, str) and raw_source.startswith("runs:/")

    @classmethod
    def _resolve(cls, raw_source: str) -> "RunArtifactSource":
        return cls(raw_source)

    def to_dict(self) -> dict[str, str]:
        """Return what MLflow stores."""
        return {"uri": self._uri}

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, str]) -> "RunArtifactSource":
        """Return the source that was stored."""
        return cls(source_dict["uri"])


register_dataset_source(RunArtifactSource)


def name_run(recipe: str, dataset: str) -> str:
    """Return a name that differs from run to run: recipe, time in UTC and the start of the dataset version."""
    return f"{recipe} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} data {dataset[:8]}"


def git_commit() -> str:
    """Return the commit of the working folder, or ``unknown`` outside a git repository."""
    return _git("rev-parse HEAD") or "unknown"


def source_tags(entry_point: str) -> dict[str, str]:
    """Return the tags of the code of a run: the program in the repository, the commit, its branch, and the address of the remote."""
    commands = {"branch": "branch --show-current", "repoURL": "remote get-url origin"}
    values = {name: hide_password(_git(command)) for name, command in commands.items()}
    found = {f"mlflow.source.git.{name}": value for name, value in values.items() if value}
    return {"mlflow.source.git.commit": git_commit(), "mlflow.source.name": entry_point, "mlflow.source.type": "LOCAL", **found}


def log_datasets(splits: Path, dataset: str, test_split: str) -> None:
    """Log the split table to the active run, and each of its splits as a dataset input with the context that tells its use.

    Args:
        splits: the split table.
        dataset: the dataset version.
        test_split: digest of the test items; versions with the same digest were tested on the same items.
    """
    run = mlflow.active_run()
    assert run is not None
    mlflow.log_artifact(str(splits), _FOLDER)
    source = RunArtifactSource(f"runs:/{run.info.run_id}/{_FOLDER}/{splits.name}")
    table = pd.read_parquet(splits)
    for split, context in _CONTEXTS.items():
        rows = table.loc[table["split"] == split, [name for name in _COLUMNS if name in table]].astype(str).reset_index(drop=True)
        digest = test_split if split == "test" else dataset[:_DIGEST_LENGTH]
        targets = "label" if "label" in rows and len(rows) else None
        mlflow.log_input(from_pandas(rows, source=source, targets=targets, name=f"{context} split", digest=digest), context=context)


def _git(command: str) -> str:
    result = subprocess.run(["git", *command.split()], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return result.stdout.strip() if result.returncode == 0 else ""
