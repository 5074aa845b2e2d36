"""Fixtures of this folder: a small demo set, rendered once."""

from pathlib import Path

import pytest

from realframe.demo.render import RenderedSet, render_demo_data

CLIPS, IMAGES, UNSEEN, SEED = 6, 48, 2, 7


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> RenderedSet:
    return render_demo_data(tmp_path_factory.mktemp("demo") / "set", clips=CLIPS, images=IMAGES, unseen=UNSEEN, seed=SEED)


@pytest.fixture(scope="session")
def folder(small_set: RenderedSet) -> Path:
    return small_set.folder
