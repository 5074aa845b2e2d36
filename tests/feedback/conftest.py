"""Fixtures of the feedback tests: a state of its own, and pictures that people disagree about."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.own_state import embedded_uri, empty_registry, settings, store

__all__ = ["embedded_uri", "empty_registry", "settings", "store"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return draw(tmp_path / "holiday.PNG", 1)


def draw(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 48, 3), np.uint8)).save(path)
    return path
