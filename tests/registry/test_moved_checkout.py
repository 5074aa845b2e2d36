"""A checkout with registered versions that is moved, or copied, keeps its models: they are listed, shown and loaded."""

import shutil
from pathlib import Path

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from realframe import artifacts
from realframe.detection.loaded_model import load_detector_model
from realframe.errors import RegistryError
from realframe.files import compute_sha256
from realframe.registry import answer_bundle, evidence_bundle, mlflow_runs, model_registry
from realframe.settings import Settings, get_settings
from tests import run_folder
from tests.state_fixtures import COMMIT


@pytest.fixture
def registered(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Register a version in the checkout ``before``; return its folder."""
    root = tmp_path / "before with a space"
    root.mkdir()
    _use_checkout(root, monkeypatch)
    run = root / "run"
    splits = run_folder.write_dataset(run, 90)
    with mlflow.start_run(experiment_id=mlflow_runs.connect()) as training:
        run_folder.write_training(run, splits, run_id=training.info.run_id)
    run_folder.write_model(run, bias=0.25)
    assert model_registry.register_folder(run, commit=COMMIT) == 1
    return root


def _use_checkout(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALFRAME_ROOT", str(root))
    monkeypatch.setenv("REALFRAME_HOME", str(root / ".realframe"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow sets it, too
    get_settings.cache_clear()


@pytest.mark.slow
def test_versions_are_listed_shown_and_loaded_after_a_copy_and_a_move(registered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied, moved = registered.parent / "copied", registered.parent / "moved"
    shutil.copytree(registered, copied)
    _check_version(copied, monkeypatch)  # while the original still exists
    registered.rename(moved)
    _check_version(moved, monkeypatch)

    (model,) = (moved / ".realframe" / "mlartifacts").rglob("model.keras")
    model.unlink()
    (version,) = model_registry.list_versions()
    message = rf"data/model.keras is missing in file://{moved}/.realframe/mlartifacts/"
    with pytest.raises(RegistryError, match=message), answer_bundle.open_registered(version):
        pass


def _check_version(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """List, show and load the version, and check that nothing refers to another checkout."""
    _use_checkout(root, monkeypatch)
    (version,) = model_registry.list_versions()
    assert (evidence_bundle.fetch(version) / artifacts.METRICS.name).exists()
    with answer_bundle.open_registered(version) as bundle:
        assert compute_sha256(bundle.model) == version.sha256
    assert load_detector_model("1").version == "1"
    addresses = [MlflowClient().get_run(version.mlflow_run_id).info.artifact_uri, answer_bundle._find_location(version)]
    assert all(address.startswith(f"{root.as_uri()}/.realframe/mlartifacts/") for address in addresses)
    with mlflow.start_run(experiment_id=mlflow_runs.connect()) as new_run:
        assert new_run.info.artifact_uri.startswith(root.as_uri())
