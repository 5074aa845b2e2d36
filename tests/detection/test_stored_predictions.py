"""Predictions are stored once per file and version, without the file; a missing store does not prevent results."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from realframe.cli import app
from realframe.detection.detector import Detector
from realframe.models import frame_features
from realframe.registry import model_registry
from realframe.settings import Settings, get_settings
from realframe.store import takedown
from realframe.store.predictions import store_predictions
from realframe.store.repository import open_store
from realframe.store.user_documents import Prediction
from tests.detection.conftest import EvaluatedRun


@pytest.fixture
def champion(evaluated_run: EvaluatedRun, empty_registry: Path) -> str:
    version = model_registry.register_folder(evaluated_run.folder, commit="c" * 40)
    model_registry.set_alias(model_registry.CHAMPION, version)
    return str(version)


def _stored() -> list[Prediction]:
    with open_store(get_settings()) as store:
        return store.find(Prediction)


def test_a_prediction_is_stored_once(evaluated_run: EvaluatedRun, champion: str, tmp_path: Path) -> None:
    items = list(evaluated_run.splits.head(2).itertuples())
    files = [str(evaluated_run.media_path(item)) for item in items]
    (tmp_path / "broken.mp4").write_text("no film")
    run = CliRunner().invoke(app, ["detect", *files, str(tmp_path / "broken.mp4")])
    assert run.exit_code == 1
    stored = {prediction.sha256: prediction for prediction in _stored()}
    assert set(stored) == {item.media_id for item in items}
    result = Detector.load(champion).detect(Path(files[0]))
    detection = result.detection
    saved = stored[items[0].media_id]
    assert (saved.file, saved.model, saved.verdict, saved.kind) == (Path(files[0]).name, int(champion), detection.verdict, "image")
    assert (saved.score, saved.probability) == (detection.score, detection.probability)
    assert result.features is not None
    assert np.allclose(frame_features.decode_vector(saved.features), result.features, rtol=1e-3, atol=1e-3 * np.abs(result.features).max())
    assert CliRunner().invoke(app, ["detect", files[0]]).exit_code == 0
    assert stored == {prediction.sha256: prediction for prediction in _stored()}


def test_no_store_stores_nothing(evaluated_run: EvaluatedRun, champion: str) -> None:
    file = str(evaluated_run.media_path(next(evaluated_run.splits.itertuples())))
    assert CliRunner().invoke(app, ["detect", "--no-store", file]).exit_code == 0
    assert CliRunner().invoke(app, ["detect", "--model", str(evaluated_run.folder), file]).exit_code == 0
    assert _stored() == []


def test_a_cached_result_that_was_not_stored_is_stored_later(evaluated_run: EvaluatedRun, champion: str) -> None:
    item = next(evaluated_run.splits.itertuples())
    CliRunner().invoke(app, ["detect", "--no-store", str(evaluated_run.media_path(item))])
    run = CliRunner().invoke(app, ["detect", str(evaluated_run.media_path(item))])
    assert run.exit_code == 0
    assert [prediction.sha256 for prediction in _stored()] == [item.media_id]


def test_a_file_that_was_taken_down_is_not_stored(evaluated_run: EvaluatedRun, champion: str, settings: Settings) -> None:
    file = evaluated_run.media_path(next(evaluated_run.splits.itertuples()))
    with open_store(settings) as store:
        takedown.record_takedown(store, takedown.find_affected_versions(store, settings.root, str(file)), "asked to", "anna")
        assert store_predictions(store, [Detector.load(champion).detect(file)]) == 0


def test_a_missing_store_does_not_prevent_results(evaluated_run: EvaluatedRun, champion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.store.repository._TIMEOUT_MS", 100)
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:9/")
    get_settings.cache_clear()
    run = CliRunner().invoke(app, ["detect", str(evaluated_run.media_path(next(evaluated_run.splits.itertuples())))])
    assert run.exit_code == 0
    assert "detector" in run.stdout and "were not stored" in run.stderr
