"""Fixtures of the tests of the worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bonafide.metadata.store import Store
from bonafide.serving.detector import Warm
from bonafide.serving.worker.door import Door
from bonafide.serving.worker.ending import Ending
from bonafide.serving.worker.pulse import Pulse
from bonafide.serving.worker.work import Work
from bonafide.settings import Settings
from bonafide.tracking import registry
from tests.own_state import embedded_uri, settings, store, three_versions
from tests.serving.worker.desk import Bench, Desk, eventually, write_clip

__all__ = ["embedded_uri", "settings", "store", "three_versions"]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=2)


@pytest.fixture
def desk(settings: Settings, store: Store) -> Desk:
    return Desk(settings, store)


@contextmanager
def _bench(settings: Settings) -> Iterator[Bench]:
    ending = Ending()
    with Warm() as warm, Door(settings, ending.told) as door, Door(settings, ending.told) as own, Pulse(own, warm, "w") as pulse:
        yield Bench(Work(settings, door, warm, ending, pulse), warm, ending)


@pytest.fixture
def bench(settings: Settings, three_versions: Path) -> Iterator[Bench]:
    """A worker of this process, without a champion."""
    with _bench(settings) as opened:
        yield opened


@pytest.fixture
def ready(settings: Settings, three_versions: Path) -> Iterator[Bench]:
    """The same with version 1 as the champion and version 3 as the challenger."""
    registry.set_alias(registry.CHAMPION, 1)
    with _bench(settings) as opened:
        eventually(lambda: opened.warm.champion)
        yield opened
