"""Fixtures that give a test a checkout's state of its own: settings, a metadata store and a model registry with three versions."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from realframe.governance import gate_rules
from realframe.settings import Settings, get_settings
from realframe.store.embedded_store import embedded
from realframe.store.repository import Store, open_store
from tests import run_folder

_SERVERS = ("REALFRAME_DAGSHUB_REPO", "REALFRAME_REVIEWER", "REALFRAME_PASSWORD")
COMMIT = "c" * 40
TRAINER = "Tom"


@pytest.fixture(scope="session")
def embedded_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("metadata")) as uri:
        yield uri


@pytest.fixture
def settings(tmp_path: Path, embedded_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a checkout in ``tmp_path``, also for other processes, with the gate's rules as they are.

    Its metadata store is empty and shared by the session's tests.
    """
    for name in _SERVERS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REALFRAME_ROOT", str(tmp_path))
    monkeypatch.setenv("MONGODB_URI", embedded_uri)
    _at_home(monkeypatch, tmp_path / "state")
    (tmp_path / "mlflow").mkdir(exist_ok=True)
    shutil.copyfile(run_folder.ROOT / gate_rules.PATH, tmp_path / gate_rules.PATH)
    empty(embedded_uri, get_settings().mongodb_database)
    yield get_settings()
    get_settings.cache_clear()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with open_store(settings) as opened:
        yield opened


@pytest.fixture
def empty_registry(settings: Settings) -> Path:
    """An MLflow database without a model; return the state folder."""
    return _copied("empty.db", settings)


@pytest.fixture
def three_versions(settings: Settings) -> Path:
    """An MLflow database with versions 1, 2 and 3, each better than the one before; 3 is the challenger."""
    return _copied("three.db", settings)


def empty(uri: str, database: str) -> None:
    from pymongo import MongoClient

    with MongoClient(uri) as client:
        for name in client[database].list_collection_names():
            client[database].drop_collection(name)


def _copied(name: str, settings: Settings) -> Path:
    settings.state.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_databases() / name, settings.state / "mlflow.db")
    return settings.state


def _at_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """MLflow puts the address that it is given into the environment, where the next settings would find it."""
    patch.setenv("REALFRAME_HOME", str(home))
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
    get_settings.cache_clear()


@cache
def _databases() -> Path:
    """Make the databases once: the first tables alone take MLflow seconds."""
    from realframe.registry import mlflow_runs, model_registry

    folder = Path(tempfile.mkdtemp(prefix="realframe-test-"))
    with pytest.MonkeyPatch.context() as patch:
        _at_home(patch, folder)
        mlflow_runs.connect()
        shutil.copyfile(folder / "mlflow.db", folder / "empty.db")
        splits = run_folder.write_data(folder, 90)
        for number in (1, 2, 3):
            run_folder.write_training(folder, splits, quality=0.1 * number)
            run_folder.write_model(folder, bias=number / 10)
            model_registry.register_folder(folder, commit=COMMIT, trainer=TRAINER)
        shutil.copyfile(folder / "mlflow.db", folder / "three.db")
    get_settings.cache_clear()
    return folder
