"""A small demo set, rendered once for all tests of this folder."""

from pathlib import Path

import pytest

from realframe.demo.render import Rendered, render

CLIPS, IMAGES, UNSEEN, SEED = 6, 48, 2, 7


@pytest.fixture(scope="session")
def small_set(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return render(tmp_path_factory.mktemp("demo") / "set", clips=CLIPS, images=IMAGES, unseen=UNSEEN, seed=SEED)


@pytest.fixture(scope="session")
def folder(small_set: Rendered) -> Path:
    return small_set.folder
