"""Runs in MLflow: every training is one run of the experiment ``realframe``, and its evaluation joins the same run.

Without a server or an account the runs live in a SQLite file and a folder beside it in the checkout's state folder.
"""

import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow.data.dataset_source import DatasetSource
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.tracking import MlflowClient

from realframe.config import leaves
from realframe.registry import dagshub
from realframe.settings import Settings, get_settings

EXPERIMENT = "realframe"
DATASET_TAG = "realframe.data"
COMMIT_TAG = "mlflow.source.git.commit"
_DIGEST_LENGTH = 32  # MLflow refuses a dataset digest over 36 characters
_SYSTEM_METRICS_S = 5


def connect(settings: Settings | None = None) -> str:
    """Point MLflow at this checkout's tracking store and registry, make what is missing there, and return the experiment's id.

    A new SQLite file is migrated by one process at a time: two that first touch it together break it.
    """
    settings = settings or get_settings()
    uri = dagshub.tracking_uri(settings) if settings.dagshub_repo and not settings.mlflow_tracking_uri else settings.tracking_uri
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    settings.state.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.state / "mlflow.lock"):
        client = MlflowClient()
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            return str(experiment.experiment_id)
        artifacts = (settings.state / "mlartifacts").resolve().as_uri() if uri.startswith("sqlite:") else None
        return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


@contextmanager
def open_run(
    name: str, params: Mapping[str, Any], splits: Path, dataset: str, tags: Mapping[str, str] | None = None, run_id: str | None = None
) -> Iterator[str]:
    """Open a run with system metrics and all that says where it comes from, and yield its id. It ends FAILED when the block raises.

    Args:
        name: what people see, such as the recipe's name.
        params: the resolved parameters, nested; logged flat and, as ``params.yaml``, as an artifact.
        splits: the split table that the run trains on.
        dataset: the dataset version, the digest of that table.
        tags: further tags.
        run_id: a run to go on with after a kill; None begins one.
    """
    experiment = connect()
    mlflow.set_system_metrics_sampling_interval(_SYSTEM_METRICS_S)
    started = {"run_id": run_id} if run_id else {"experiment_id": experiment, "run_name": name}
    with mlflow.start_run(**started, log_system_metrics=True) as run:
        mlflow.set_tags({DATASET_TAG: dataset, COMMIT_TAG: git_commit(), **(tags or {})})
        mlflow.log_params({key: str(value) for key, value in leaves(params)})
        mlflow.log_dict(dict(params), "params.yaml")
        mlflow.log_input(MetaDataset(_source_of(splits), name=EXPERIMENT, digest=dataset[:_DIGEST_LENGTH]), context="training")
        yield run.info.run_id


@contextmanager
def nested_run(name: str, params: Mapping[str, Any], run_id: str | None = None) -> Iterator[str]:
    """Open a run below the open one, and yield its id. It ends FAILED when the block raises.

    Args:
        name: what people see.
        params: logged flat.
        run_id: a run to go on with after a kill; None begins one.
    """
    parent = mlflow.active_run()
    assert parent is not None
    started = {"run_id": run_id} if run_id else {"experiment_id": parent.info.experiment_id, "run_name": name}
    with mlflow.start_run(**started, nested=True) as run:
        mlflow.log_params({key: str(value) for key, value in leaves(params)})
        yield run.info.run_id


@contextmanager
def resume_run(run_id: str) -> Iterator[str]:
    """Go on with a run that has ended, as evaluation does, and yield its id."""
    connect()
    with mlflow.start_run(run_id=run_id):
        yield run_id


def log_epoch(row: Mapping[str, Any], step: int) -> None:
    """Log one epoch's row of the history to the open run, while training goes on.

    Args:
        row: the numbers by name; ``epoch`` (within its phase) is left out.
        step: the epoch counted over both phases, from 1.
    """
    mlflow.log_metrics({name: float(value) for name, value in row.items() if name != "epoch"}, step=step)


def exists(run_id: str) -> bool:
    """Say whether the tracking store holds a run that can be gone on with."""
    connect()
    try:
        return bool(MlflowClient().get_run(run_id).info.lifecycle_stage == "active")
    except mlflow.MlflowException:
        return False


def git_commit() -> str:
    """Return the commit of the working folder, or ``unknown`` outside a git repository."""
    answer = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return answer.stdout.strip() if answer.returncode == 0 else "unknown"


def _source_of(splits: Path) -> DatasetSource:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The specified dataset source can be interpreted")  # twice in the same way
        return resolve_dataset_source(str(splits.resolve()))
