"""Fixtures of this folder."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from realframe.settings import Settings
from tests.state_fixtures import embedded_uri

__all__ = ["embedded_uri"]
MakeHome = Callable[[str], Settings]


@pytest.fixture
def make_home(checkout: Path, tmp_path: Path, embedded_uri: str) -> MakeHome:
    """Return a function that makes a checkout with another dvc.yaml, committed, and one original."""

    def make(stages: str) -> Settings:
        clone = tmp_path / "clone"
        subprocess.run(["git", "clone", "-q", str(checkout), str(clone)], check=True)
        (clone / "dvc.yaml").write_text(stages)
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, "commit", "-q", "-a", "-m", "other stages"], cwd=clone, check=True)
        picture = clone / "data" / "raw" / "real" / "a.png"
        picture.parent.mkdir(parents=True)
        Image.new("RGB", (32, 32)).save(picture)
        return Settings(root=clone, home=clone / ".realframe", MONGODB_URI=embedded_uri)

    return make
