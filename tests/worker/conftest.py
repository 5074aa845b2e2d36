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
from realframe.worker.worker_loop import WorkerLoop
from tests.own_state import embedded_uri, settings, store, three_versions
from tests.worker.desk import Bench, Desk, eventually, write_clip

__all__ = ["embedded_uri", "settings", "store", "three_versions"]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=2)


@pytest.fixture
def desk(settings: Settings, store: Store) -> Desk:
    return Desk(settings, store)


@contextmanager
def _bench(settings: Settings) -> Iterator[Bench]:
    ending = Shutdown()
    with (
        ModelManager() as warm,
        StoreConnection(settings, ending.told) as door,
        StoreConnection(settings, ending.told) as own,
        Heartbeat(own, warm, "w") as pulse,
    ):
        yield Bench(WorkerLoop(settings, door, warm, ending, pulse), warm, ending)


@pytest.fixture
def bench(settings: Settings, three_versions: Path) -> Iterator[Bench]:
    """A worker of this process, without a champion."""
    with _bench(settings) as opened:
        yield opened


@pytest.fixture
def ready(settings: Settings, three_versions: Path) -> Iterator[Bench]:
    """The same with version 1 as the champion and version 3 as the challenger."""
    model_registry.set_alias(model_registry.CHAMPION, 1)
    with _bench(settings) as opened:
        eventually(lambda: opened.warm.champion)
        yield opened
