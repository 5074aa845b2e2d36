"""Open and resume MLflow runs: each training is a run of the experiment ``realframe``, and its evaluation resumes the same run.

Without a tracking server, the runs are in a SQLite file and a folder next to it in the checkout's state folder.
"""

import os
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

from realframe.config import flatten
from realframe.permissions import create_private_file, open_private_folder
from realframe.registry import dagshub
from realframe.settings import MLFLOW_DATABASE, Settings, get_settings

EXPERIMENT = "realframe"
DATASET_TAG = "realframe.dataset"
COMMIT_TAG = "mlflow.source.git.commit"
_DIGEST_LENGTH = 32  # MLflow refuses a dataset digest over 36 characters
_SYSTEM_METRICS_S = 5
_SQLITE = "sqlite:///"
_CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # commands read artifacts often
}
_experiment_ids: dict[str, str] = {}  # by the address of the server, of this process


def connect(settings: Settings | None = None) -> str:
    """Configure MLflow for this checkout's tracking store and registry, create the experiment if needed, and return its id.

    A lock lets one process at a time create a SQLite file: two processes that do so at once break it.
    """
    settings = settings or get_settings()
    uri = _set_server(settings)
    if uri in _experiment_ids and _has_database(uri):
        return _experiment_ids[uri]
    with FileLock(settings.state_dir / "mlflow.lock"):
        if uri == f"sqlite:///{settings.state_dir / MLFLOW_DATABASE}":
            create_private_file(settings.state_dir / MLFLOW_DATABASE)
        _experiment_ids[uri] = _find_or_create_experiment(uri, settings)
    return _experiment_ids[uri]


def connect_registry(settings: Settings | None = None) -> None:
    """Configure MLflow as ``connect`` does, but create nothing on a tracking server: reading the registry needs no experiment."""
    settings = settings or get_settings()
    if _set_server(settings).startswith(_SQLITE):
        connect(settings)


def _set_server(settings: Settings) -> str:
    """Set the address of MLflow and the limits of its requests; return the address. Without limits, a dead server hangs for minutes."""
    for name, value in _CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    uri = dagshub.connect_tracking(settings) if settings.dagshub_repo and not settings.mlflow_tracking_uri else settings.tracking_uri
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return uri


def _has_database(uri: str) -> bool:
    return not uri.startswith(_SQLITE) or Path(uri.removeprefix(_SQLITE)).exists()


def _find_or_create_experiment(uri: str, settings: Settings) -> str:
    client = MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    artifacts = open_private_folder(settings.state_dir / "mlartifacts").resolve().as_uri() if uri.startswith(_SQLITE) else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts))


@contextmanager
def start_mlflow_run(
    name: str, params: Mapping[str, Any], splits: Path, dataset: str, tags: Mapping[str, str] | None = None, run_id: str | None = None
) -> Iterator[str]:
    """Open a run with system metrics, parameters, dataset and commit, and yield its id. It ends as FAILED if the block raises.

    Args:
        name: name of the run, such as the recipe's name.
        params: the resolved parameters, nested; logged flat, and as the artifact ``params.yaml``.
        splits: the split table that the run trains on.
        dataset: the dataset version, which is the digest of that table.
        tags: further tags.
        run_id: a run to resume after a kill; None starts a new one.
    """
    experiment = connect()
    mlflow.set_system_metrics_sampling_interval(_SYSTEM_METRICS_S)
    run_options = {"run_id": run_id} if run_id else {"experiment_id": experiment, "run_name": name}
    with mlflow.start_run(**run_options, log_system_metrics=True) as run:
        mlflow.set_tags({DATASET_TAG: dataset, COMMIT_TAG: git_commit(), **(tags or {})})
        mlflow.log_params({key: str(value) for key, value in flatten(params)})
        mlflow.log_dict(dict(params), "params.yaml")
        mlflow.log_input(MetaDataset(_dataset_source(splits), name=EXPERIMENT, digest=dataset[:_DIGEST_LENGTH]), context="training")
        yield run.info.run_id


@contextmanager
def start_nested_mlflow_run(name: str, params: Mapping[str, Any], run_id: str | None = None) -> Iterator[str]:
    """Open a child of the active run, and yield its id. It ends as FAILED if the block raises.

    Args:
        name: name of the run.
        params: the parameters, nested; logged flat.
        run_id: a run to resume after a kill; None starts a new one.
    """
    parent = mlflow.active_run()
    assert parent is not None
    run_options = {"run_id": run_id} if run_id else {"experiment_id": parent.info.experiment_id, "run_name": name}
    with mlflow.start_run(**run_options, nested=True) as run:
        mlflow.log_params({key: str(value) for key, value in flatten(params)})
        yield run.info.run_id


@contextmanager
def resume_mlflow_run(run_id: str) -> Iterator[str]:
    """Resume a run that has ended, as evaluation does, and yield its id."""
    connect()
    with mlflow.start_run(run_id=run_id):
        yield run_id


def log_epoch(row: Mapping[str, Any], step: int) -> None:
    """Log one epoch's row of the history to the active run during training.

    Args:
        row: the metrics by name; ``epoch`` (within its phase) is left out.
        step: number of the epoch over both phases, from 1.
    """
    mlflow.log_metrics({name: float(value) for name, value in row.items() if name != "epoch"}, step=step)


def run_exists(run_id: str) -> bool:
    """Return whether the tracking store holds a run that can be resumed."""
    connect()
    try:
        return bool(MlflowClient().get_run(run_id).info.lifecycle_stage == "active")
    except mlflow.MlflowException:
        return False


def git_commit() -> str:
    """Return the commit of the working directory, or ``unknown`` outside a git repository."""
    result = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    return result.stdout.strip() if result.returncode == 0 else "unknown"


def _dataset_source(splits: Path) -> DatasetSource:
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="The specified dataset source can be interpreted"
        )  # two registered source types resolve it to the same source
        return resolve_dataset_source(str(splits.resolve()))
