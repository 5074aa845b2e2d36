"""Fixtures of the feedback tests: settings, store, registry and a photo."""

from pathlib import Path

import pytest

from tests.feedback.sample_photos import write_photo
from tests.state_fixtures import embedded_uri, empty_registry, settings, store

__all__ = ["embedded_uri", "empty_registry", "settings", "store"]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_photo(tmp_path / "holiday.PNG", 1)
