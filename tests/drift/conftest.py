"""Fixtures of the drift tests: a champion with a training reference."""

from pathlib import Path

import pytest

from realframe import artifacts
from realframe.evaluation import scored_rows
from realframe.registry import model_registry
from realframe.settings import Settings
from realframe.tables import write_table
from tests import run_folder
from tests.drift.sample_predictions import reference_table
from tests.state_fixtures import COMMIT, embedded_uri, empty_registry, settings, store

__all__ = ["embedded_uri", "empty_registry", "settings", "store"]


@pytest.fixture
def champion(empty_registry: Path, settings: Settings, tmp_path: Path) -> int:
    """A registered champion with its evidence in MLflow, including the training reference."""
    folder = tmp_path / "run"
    run_folder.write_training(folder, run_folder.write_dataset(folder, 60))
    run_folder.write_model(folder, bias=0.1)
    write_table(reference_table(), folder / artifacts.TRAINING_REFERENCE, scored_rows.TRAINING_REFERENCE)
    version = model_registry.register_folder(folder, commit=COMMIT)
    model_registry.set_alias(model_registry.CHAMPION, version)
    return version
