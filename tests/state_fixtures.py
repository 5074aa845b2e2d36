"""Fixtures for the state of a checkout: settings, an empty metadata store, and a model registry with no or three versions."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from realframe.governance import gate_rules
from realframe.settings import Settings, get_settings
from realframe.store.embedded_server import serve_embedded
from realframe.store.repository import Store, open_store
from tests import run_folder

_UNSET = ("REALFRAME_DAGSHUB_REPO", "REALFRAME_REVIEWER", "REALFRAME_PASSWORD")
COMMIT = "c" * 40
TRAINER = "Tom"


@pytest.fixture(scope="session")
def embedded_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_embedded(tmp_path_factory.mktemp("metadata")) as uri:
        yield uri


@pytest.fixture
def settings(tmp_path: Path, embedded_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a checkout in ``tmp_path``, also for child processes, with the repository's gate rules and an MLflow database.

    The tests of a session share one metadata server; the store is emptied for each test. The database has no models: MLflow takes
    seconds to create its tables, so each test gets a copy.
    """
    for name in _UNSET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REALFRAME_ROOT", str(tmp_path))
    monkeypatch.setenv("MONGODB_URI", embedded_uri)
    _set_state_dir(monkeypatch, tmp_path / "state")
    (tmp_path / "mlflow").mkdir(exist_ok=True)
    shutil.copyfile(run_folder.ROOT / gate_rules.PATH, tmp_path / gate_rules.PATH)
    drop_collections(embedded_uri, get_settings().mongodb_database)
    _copy_database(_make_empty_database(), get_settings())
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings) as opened:
        yield opened


@pytest.fixture
def empty_registry(settings: Settings) -> Path:
    """Return the state folder, with an MLflow database without models."""
    return settings.state_dir


@pytest.fixture
def three_versions(settings: Settings) -> Path:
    """Create an MLflow database with versions 1, 2 and 3, each better than the one before; 3 is the challenger."""
    return _copy_database(_make_database_of_three_versions(), settings)


def drop_collections(uri: str, database: str) -> None:
    from pymongo import MongoClient

    with MongoClient(uri) as client:
        for name in client[database].list_collection_names():
            client[database].drop_collection(name)


def _copy_database(database: Path, settings: Settings) -> Path:
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(database, settings.state_dir / "mlflow.db")
    return settings.state_dir


def _set_state_dir(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Set the state folder; MLflow writes its tracking URI to the environment, where later settings would read it."""
    patch.setenv("REALFRAME_HOME", str(home))
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
    get_settings.cache_clear()


@cache
def _make_empty_database() -> Path:
    from realframe.registry import mlflow_runs

    folder = Path(tempfile.mkdtemp(prefix="realframe-test-"))
    with pytest.MonkeyPatch.context() as patch:
        _set_state_dir(patch, folder)
        mlflow_runs.connect()
    get_settings.cache_clear()
    return folder / "mlflow.db"


@cache
def _make_database_of_three_versions() -> Path:
    from realframe.registry import model_registry

    folder = Path(tempfile.mkdtemp(prefix="realframe-test-"))
    with pytest.MonkeyPatch.context() as patch:
        _set_state_dir(patch, folder)
        shutil.copyfile(_make_empty_database(), folder / "mlflow.db")
        splits = run_folder.write_dataset(folder, 90)
        for number in (1, 2, 3):
            run_folder.write_training(folder, splits, quality=0.1 * number)
            run_folder.write_model(folder, bias=number / 10)
            model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER)
    get_settings.cache_clear()
    return folder / "mlflow.db"
