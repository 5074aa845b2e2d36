"""A champion with a reference."""

from pathlib import Path

import pytest
from drifting import reference_table

from bonafide import artefacts
from bonafide.evaluation import tables
from bonafide.settings import Settings
from bonafide.tracking import registry
from tests import run_folder
from tests.own_state import COMMIT, embedded_uri, empty_registry, settings, store

__all__ = ["embedded_uri", "empty_registry", "settings", "store"]


@pytest.fixture
def champion(empty_registry: Path, settings: Settings, tmp_path: Path) -> int:
    """A registered champion with its evidence in MLflow, the reference among it."""
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_data(folder, 60))
    run_folder.write_model(folder, bias=0.1)
    tables.write(reference_table(), folder / artefacts.REFERENCE, tables.REFERENCE)
    version = registry.register_folder(folder, commit=COMMIT)
    registry.set_alias(registry.CHAMPION, version)
    return version
