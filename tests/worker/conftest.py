"""Fixtures of the tests of the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.store.repository import Store
from realframe.worker.heartbeat import Heartbeat
from realframe.worker.model_manager import ModelManager
from realframe.worker.shutdown import Shutdown
from realframe.worker.store_connection import StoreConnection
from realframe.worker.watchdog import Watchdog
from realframe.worker.worker_loop import WorkerLoop
from tests.state_fixtures import embedded_uri, settings, store, three_versions
from tests.worker.uploads import TestWorker, Uploads, wait_until, write_clip

__all__ = ["embedded_uri", "settings", "store", "three_versions"]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=2)


@pytest.fixture
def uploads(settings: Settings, store: Store) -> Uploads:
    return Uploads(settings, store)


@contextmanager
def _run_worker(settings: Settings) -> Iterator[TestWorker]:
    shutdown = Shutdown()
    with (
        Watchdog(settings.file_timeout_s) as watchdog,
        ModelManager(watchdog) as models,
        StoreConnection(settings, shutdown.requested) as connection,
        StoreConnection(settings, shutdown.requested) as heartbeat_connection,
        Heartbeat(heartbeat_connection, models, "w") as heartbeat,
    ):
        yield TestWorker(WorkerLoop(settings, connection, models, shutdown, heartbeat, watchdog), models, shutdown)


@pytest.fixture
def worker_without_champion(settings: Settings, three_versions: Path) -> Iterator[TestWorker]:
    """A worker in this process; the registry has no champion."""
    with _run_worker(settings) as worker:
        yield worker


@pytest.fixture
def worker(settings: Settings, three_versions: Path) -> Iterator[TestWorker]:
    """A worker in this process, with version 1 as the champion and version 3 as the challenger."""
    model_registry.set_alias(model_registry.CHAMPION, 1)
    with _run_worker(settings) as worker:
        wait_until(lambda: worker.models.champion)
        yield worker
