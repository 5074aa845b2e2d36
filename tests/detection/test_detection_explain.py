"""The pictures of an answer: one tile per frame that is shown, the peaks among them, also of a detector of clips."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realframe.config import resolve
from realframe.detection import heatmaps
from realframe.detection.confidence import TrainingReference, VerdictRule
from realframe.detection.detector import Detector
from realframe.detection.loaded_model import LoadedModel
from realframe.detection.result import FRAMES, HEAT
from realframe.models import detector_network as networks
from realframe.settings import get_settings
from realframe.statistics.conformal import Band
from realframe.store.detection_documents import Detection, FrameScore, Moment, Progress
from tests.pilot import ROOT
from tests.small_run import SHRUNK


@pytest.fixture(scope="module")
def clips() -> Detector:
    """A detector of clips with random weights, with attention."""
    changed = SHRUNK | {"train.backbone": "residual_cnn", "train.weights": "random", "train.head.length": 4, "train.head.units": 8}
    params = resolve(ROOT / "params.yaml", ROOT / "recipes", recipe="efficientnetv2b0-bilstm", overrides=changed).params
    model, _ = networks.open_backbone(params.train.backbone, params.train.weights, params.clean.size, params.train.head, 1, get_settings())
    return Detector(
        LoadedModel(model, params, "mean", VerdictRule(0.5, 1.0, Band(0.4, 0.6, 0.1)), TrainingReference(np.zeros(0), None), "clips", None)
    )


@pytest.fixture
def clip(evaluated: Any) -> Path:
    return Path(evaluated.file(next(evaluated.splits[evaluated.splits["kind"] == "video"].itertuples())))


def _many(count: int, peak: int) -> Detection:
    """An answer of which only the frames and the moments matter."""
    frames = tuple(FrameScore(time_s=place, score=0.2, attention=None) for place in range(count))
    moment = Moment(start_s=peak, end_s=peak, peak_s=peak, score=0.2)
    return Detection.model_construct(frames=frames, moments=(moment,))


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (64, 64), (65, 64), (200, 64)])
def test_at_most_64_frames_are_shown_and_the_peak_always(count: int, shown: int) -> None:
    peak = count // 2 + count % 3
    places = heatmaps.chosen(_many(count, min(peak, count - 1)))
    assert len(places) == shown
    assert list(places) == sorted(set(places))
    assert min(peak, count - 1) in places
    assert {0, count - 1} <= set(places)


def test_each_tile_is_its_frame(evaluated: Any, clip: Path, tmp_path: Path) -> None:
    detector = Detector.load(str(evaluated.folder))
    found = detector.detect(clip)
    told: list[Progress] = []
    said = detector.explain(found, tmp_path / "new", told.append)
    assert said.tiles is not None
    assert found.pictures is not None
    assert (said.tiles.size, said.tiles.columns, said.tiles.shown) == (32, 3, (0, 1, 2))
    assert set(said.seconds) == {"probing", "decoding", "scoring", "explaining"}
    assert (told[-1].step, told[-1].count, told[-1].of) == ("explaining", 3, 3)
    with Image.open(tmp_path / "new" / FRAMES) as frames, Image.open(tmp_path / "new" / HEAT) as heat:
        assert frames.size == heat.size == (96, 32)
        for place, picture in enumerate(found.pictures):
            tile = np.asarray(frames.crop((32 * place, 0, 32 * place + 32, 32)), np.float64)
            assert np.abs(tile - picture).mean() < 20
            assert np.argmin([np.abs(tile - other).mean() for other in found.pictures]) == place
        assert np.abs(np.asarray(frames, np.float64) - np.asarray(heat)).mean() > 12


def test_a_file_that_was_not_scored_has_no_pictures(evaluated: Any, tmp_path: Path) -> None:
    detector = Detector.load(str(evaluated.folder))
    found = detector.detect(tmp_path / "missing.mp4")
    assert detector.explain(found, tmp_path / "new") == found.detection
    assert not (tmp_path / "new").exists()


def test_a_detector_of_clips_gives_attention_and_pictures(clips: Detector, clip: Path, tmp_path: Path) -> None:
    found = clips.detect(clip)
    said = clips.explain(found, tmp_path)
    assert all(frame.score is None for frame in said.frames)
    assert sum(frame.attention or 0 for frame in said.frames) == pytest.approx(1, abs=1e-5)
    assert said.looked_at == len(said.frames) == 4  # thinned to the head's length
    assert said.tiles is not None
    assert (tmp_path / HEAT).exists()


def test_a_detector_of_clips_takes_no_image(clips: Detector, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "photo.png")
    said = clips.detect(tmp_path / "photo.png").detection
    assert (said.verdict, said.code) == ("not scored", "media.not-media")
    assert "scores videos only" in said.message
