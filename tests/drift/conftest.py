"""A champion with a reference."""

from pathlib import Path

import pytest
from drifting import reference_table

from realframe import artifacts
from realframe.evaluation import score_tables
from realframe.registry import model_registry
from realframe.settings import Settings
from tests import run_folder
from tests.own_state import COMMIT, embedded_uri, empty_registry, settings, store

__all__ = ["embedded_uri", "empty_registry", "settings", "store"]


@pytest.fixture
def champion(empty_registry: Path, settings: Settings, tmp_path: Path) -> int:
    """A registered champion with its evidence in MLflow, the reference among it."""
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_data(folder, 60))
    run_folder.write_model(folder, bias=0.1)
    score_tables.write(reference_table(), folder / artifacts.REFERENCE, score_tables.REFERENCE)
    version = model_registry.register_folder(folder, commit=COMMIT)
    model_registry.set_alias(model_registry.CHAMPION, version)
    return version
