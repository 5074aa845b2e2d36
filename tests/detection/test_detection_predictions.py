"""What the detector said is kept: once per file and version, without the file, and never at the price of the answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from realframe.cli import app
from realframe.detection.detector import Detector
from realframe.detection.stored_predictions import keep
from realframe.models import frame_features
from realframe.registry import model_registry
from realframe.settings import Settings, get_settings
from realframe.store import takedown
from realframe.store.repository import open_store
from realframe.store.user_documents import Prediction


@pytest.fixture
def champion(evaluated: Any, empty_registry: Path) -> str:
    version = model_registry.register_folder(evaluated.folder, commit="c" * 40)
    model_registry.set_alias(model_registry.CHAMPION, version)
    return str(version)


def _stored() -> list[Prediction]:
    with open_store(get_settings()) as store:
        return store.find(Prediction)


def test_what_is_said_is_kept_once(evaluated: Any, champion: str, tmp_path: Path) -> None:
    items = list(evaluated.splits.head(2).itertuples())
    files = [str(evaluated.file(item)) for item in items]
    (tmp_path / "broken.mp4").write_text("no film")
    said = CliRunner().invoke(app, ["detect", *files, str(tmp_path / "broken.mp4")])
    assert said.exit_code == 1
    stored = {prediction.sha256: prediction for prediction in _stored()}
    assert set(stored) == {item.media_id for item in items}
    found = Detector.load(champion).detect(Path(files[0]))
    detection = found.detection
    kept = stored[items[0].media_id]
    assert (kept.file, kept.model, kept.verdict, kept.kind) == (Path(files[0]).name, int(champion), detection.verdict, "image")
    assert (kept.score, kept.probability) == (detection.score, detection.probability)
    assert found.features is not None
    assert np.allclose(frame_features.from_text(kept.features), found.features, rtol=1e-3, atol=1e-3 * np.abs(found.features).max())
    assert CliRunner().invoke(app, ["detect", files[0]]).exit_code == 0
    assert stored == {prediction.sha256: prediction for prediction in _stored()}


def test_it_is_not_kept_where_that_is_not_wanted(evaluated: Any, champion: str) -> None:
    file = str(evaluated.file(next(evaluated.splits.itertuples())))
    assert CliRunner().invoke(app, ["detect", "--no-store", file]).exit_code == 0
    assert CliRunner().invoke(app, ["detect", "--model", str(evaluated.folder), file]).exit_code == 0
    assert _stored() == []


def test_an_answer_that_was_not_stored_is_stored_later(evaluated: Any, champion: str) -> None:
    item = next(evaluated.splits.itertuples())
    CliRunner().invoke(app, ["detect", "--no-store", str(evaluated.file(item))])
    said = CliRunner().invoke(app, ["detect", str(evaluated.file(item))])
    assert said.exit_code == 0
    assert [prediction.sha256 for prediction in _stored()] == [item.media_id]


def test_what_was_taken_down_is_not_kept(evaluated: Any, champion: str, settings: Settings) -> None:
    file = evaluated.file(next(evaluated.splits.itertuples()))
    with open_store(settings) as store:
        takedown.record(store, takedown.affected_by(store, settings.root, str(file)), "asked to", "anna")
        assert keep(store, [Detector.load(champion).detect(file)]) == 0


def test_a_store_that_is_not_there_takes_no_answer_away(evaluated: Any, champion: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realframe.store.repository._TIMEOUT_MS", 100)
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1:9/")
    get_settings.cache_clear()
    said = CliRunner().invoke(app, ["detect", str(evaluated.file(next(evaluated.splits.itertuples())))])
    assert said.exit_code == 0
    assert "detector" in said.stdout and "were not stored" in said.stderr
