"""Fixtures of the feedback tests: a state of its own, and pictures that people disagree about."""

from pathlib import Path

import pytest
from feedback_photos import draw

from tests.own_state import embedded_uri, empty_registry, settings, store

__all__ = ["embedded_uri", "empty_registry", "settings", "store"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return draw(tmp_path / "holiday.PNG", 1)
