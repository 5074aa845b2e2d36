"""Open and resume MLflow runs: each training is a run of the experiment ``realframe``, and its evaluation resumes the same run.

Without a tracking server, the runs are in a SQLite file and a folder next to it in the checkout's state folder.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mlflow
from filelock import FileLock
from mlflow.tracking import MlflowClient

from realframe.config import flatten
from realframe.permissions import create_private_file, open_private_folder
from realframe.registry import run_facts
from realframe.registry.mlflow_server import SQLITE, set_server
from realframe.settings import MLFLOW_DATABASE, Settings, get_settings

EXPERIMENT = "realframe"
_EXPERIMENT_TAGS = {
    "mlflow.experimentKind": "custom_model_development",  # else its page opens as that of a GenAI application
    "mlflow.note.content": "Trainings of the detector of AI-generated images and videos. Each run holds the parameters, the curves, the "
    "figures with 95 % intervals (`_low`, `_high`), the splits as datasets, and the evaluation report as the artifact `report.html`.",
}
DATASET_TAG = "realframe.dataset"
_SYSTEM_METRICS_S = 5
_ARTIFACTS = "mlartifacts"
_ADDRESSES = (  # table and column
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_experiment_ids: dict[str, str] = {}  # by the address of the server, of this process


def connect(settings: Settings | None = None) -> str:
    """Configure MLflow for this checkout's tracking store and registry, create the experiment if needed, and return its id.

    A lock lets one process at a time create a SQLite file: two processes that do so at once break it. Raises ServiceError.
    """
    settings = settings or get_settings()
    uri = set_server(settings)
    if uri in _experiment_ids and _has_database(uri):
        return _experiment_ids[uri]
    with FileLock(settings.state_dir / "mlflow.lock") if uri.startswith(SQLITE) else nullcontext():
        database = settings.state_dir / MLFLOW_DATABASE
        if uri == f"{SQLITE}{database}":
            create_private_file(database)
        _experiment_ids[uri] = _find_or_create_experiment(uri, settings)
        if uri == f"{SQLITE}{database}":
            _update_addresses(database, (settings.state_dir / _ARTIFACTS).resolve())
    return _experiment_ids[uri]


def connect_registry(settings: Settings | None = None) -> None:
    """Configure MLflow as ``connect`` does, but create nothing on a tracking server: reading the registry needs no experiment."""
    settings = settings or get_settings()
    if set_server(settings).startswith(SQLITE):
        connect(settings)


def _has_database(uri: str) -> bool:
    return not uri.startswith(SQLITE) or Path(uri.removeprefix(SQLITE)).exists()


def _find_or_create_experiment(uri: str, settings: Settings) -> str:
    client = MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        with suppress(mlflow.MlflowException):  # an account may have the right to read only
            for key in _EXPERIMENT_TAGS.keys() - experiment.tags.keys():
                client.set_experiment_tag(experiment.experiment_id, key, _EXPERIMENT_TAGS[key])
        return str(experiment.experiment_id)
    artifacts = open_private_folder(settings.state_dir / _ARTIFACTS).resolve().as_uri() if uri.startswith(SQLITE) else None
    try:
        return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=_EXPERIMENT_TAGS))
    except mlflow.MlflowException:
        if (experiment := client.get_experiment_by_name(EXPERIMENT)) is None:  # another process has created it meanwhile
            raise
        return str(experiment.experiment_id)


def _update_addresses(database: Path, folder: Path) -> None:
    """Let MLflow's database name the artifacts where they are now: it stores absolute paths, and a checkout may be moved or copied.

    Only addresses below the folder of the experiment are changed, and only where the file or folder exists in ``folder``.
    """
    with closing(sqlite3.connect(database)) as connection, connection:
        (recorded,) = connection.execute("select artifact_location from experiments where name = ?", (EXPERIMENT,)).fetchone()
        present = folder.as_uri()
        if recorded == present or not recorded.startswith("file:"):
            return
        moved_count = 0
        for table, column in _ADDRESSES:
            query = f"select rowid, {column} from {table} where substr({column}, 1, ?) = ?"  # noqa: S608
            for row, address in connection.execute(query, (len(recorded) + 1, f"{recorded}/")).fetchall():
                moved = present + address[len(recorded) :]
                if _uri_path(moved).exists():
                    connection.execute(f"update {table} set {column} = ? where rowid = ?", (moved, row))  # noqa: S608
                    moved_count += 1
        if moved_count or not _uri_path(recorded).exists():
            connection.execute("update experiments set artifact_location = ? where name = ?", (present, EXPERIMENT))


def _uri_path(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path))


@contextmanager
def start_mlflow_run(
    recipe: str,
    params: Mapping[str, Any],
    splits: Path,
    dataset: str,
    test_split: str,
    tags: Mapping[str, str] | None = None,
    run_id: str | None = None,
) -> Iterator[str]:
    """Open a run with system metrics, parameters, datasets and the place of the code; yield its id. It is FAILED if the block raises.

    Args:
        recipe: name of the recipe; the name of the run begins with it.
        params: the resolved parameters, nested; logged flat, and as the artifact ``params.yaml``.
        splits: the split table that the run trains on.
        dataset: the dataset version, which is the digest of that table.
        test_split: digest of the test items.
        tags: further tags.
        run_id: a run to resume after a kill; None starts a new one.
    """
    experiment = connect()
    mlflow.set_system_metrics_sampling_interval(_SYSTEM_METRICS_S)
    run_options = {"run_id": run_id} if run_id else {"experiment_id": experiment, "run_name": run_facts.name_run(recipe, dataset)}
    with mlflow.start_run(**run_options, log_system_metrics=True) as run:
        mlflow.set_tags({DATASET_TAG: dataset, **run_facts.source_tags("pipelines/train.py"), **(tags or {})})
        mlflow.log_params({key: str(value) for key, value in flatten(params)})
        mlflow.log_dict(dict(params), "params.yaml")
        run_facts.log_datasets(splits, dataset, test_split)
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
