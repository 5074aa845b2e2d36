"""The sprites of a detection: one tile per selected frame, with the peaks, also for a detector of clips."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realframe.config import resolve_params
from realframe.detection import heatmaps
from realframe.detection.confidence import VerdictRule
from realframe.detection.detector import Detector
from realframe.detection.loaded_model import LoadedModel
from realframe.models import detector_network as networks
from realframe.settings import get_settings
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, Detection, FrameScore, Moment
from tests.detection.conftest import EvaluatedRun
from tests.small_run import SHRUNK
from tests.trained_checkout import ROOT


@pytest.fixture(scope="module")
def clips() -> Detector:
    """A detector of clips with random weights, with attention."""
    changed = SHRUNK | {"train.backbone": "residual_cnn", "train.weights": "random", "train.head.length": 4, "train.head.units": 8}
    params = resolve_params(ROOT / "params.yaml", ROOT / "recipes", recipe="efficientnetv2b0-bilstm", overrides=changed).params
    model, _ = networks.create_detector(
        params.train.backbone, params.train.weights, params.clean.size, params.train.head, 1, get_settings()
    )
    return Detector(
        LoadedModel(
            model,
            params,
            "mean",
            VerdictRule(0.5, {}),
            "clips",
            "",
        )
    )


@pytest.fixture
def clip(evaluated_run: EvaluatedRun) -> Path:
    return Path(evaluated_run.media_path(next(evaluated_run.splits[evaluated_run.splits["kind"] == "video"].itertuples())))


def _detection_with(count: int, peak: int) -> Detection:
    """A detection with only frames and moments."""
    frames = tuple(FrameScore(time_s=place, score=0.2, attention=None) for place in range(count))
    moment = Moment(start_s=peak, end_s=peak, peak_s=peak, score=0.2)
    return Detection.model_construct(frames=frames, moments=(moment,))


@pytest.mark.parametrize(("count", "shown"), [(1, 1), (64, 64), (65, 64), (200, 64)])
def test_at_most_64_frames_are_selected_and_the_peak_always(count: int, shown: int) -> None:
    peak = count // 2 + count % 3
    places = heatmaps.select_frames(_detection_with(count, min(peak, count - 1)))
    assert len(places) == shown
    assert list(places) == sorted(set(places))
    assert min(peak, count - 1) in places
    assert {0, count - 1} <= set(places)


def test_each_tile_is_its_frame(evaluated_run: EvaluatedRun, clip: Path, tmp_path: Path) -> None:
    detector = Detector.load(str(evaluated_run.folder))
    result = detector.detect(clip)
    reports: list[tuple[str, int, int]] = []
    detection = detector.explain(result, tmp_path / "new", lambda *progress: reports.append(progress))
    assert detection.tiles is not None
    assert result.pictures is not None
    assert (detection.tiles.size, detection.tiles.columns, detection.tiles.frame_indices) == (32, 3, (0, 1, 2))
    assert set(detection.seconds) == {"probing", "decoding", "scoring", "explaining"}
    assert reports[-1] == ("explaining", 3, 3)
    with Image.open(tmp_path / "new" / FRAMES_SPRITE) as frames, Image.open(tmp_path / "new" / HEATMAPS_SPRITE) as heat:
        assert frames.size == heat.size == (96, 32)
        for place, picture in enumerate(result.pictures):
            tile = np.asarray(frames.crop((32 * place, 0, 32 * place + 32, 32)), np.float64)
            assert np.abs(tile - picture).mean() < 20
            assert np.argmin([np.abs(tile - other).mean() for other in result.pictures]) == place
        assert np.abs(np.asarray(frames, np.float64) - np.asarray(heat)).mean() > 12


def test_a_file_that_was_not_scored_has_no_sprites(evaluated_run: EvaluatedRun, tmp_path: Path) -> None:
    detector = Detector.load(str(evaluated_run.folder))
    result = detector.detect(tmp_path / "missing.mp4")
    assert detector.explain(result, tmp_path / "new") == result.detection
    assert not (tmp_path / "new").exists()


def test_a_detector_of_clips_gives_attention_and_sprites(clips: Detector, clip: Path, tmp_path: Path) -> None:
    result = clips.detect(clip)
    detection = clips.explain(result, tmp_path)
    assert all(frame.score is None for frame in detection.frames)
    assert sum(frame.attention or 0 for frame in detection.frames) == pytest.approx(1, abs=1e-5)
    assert detection.frames_analyzed == len(detection.frames) == 4  # thinned to the head's length
    assert detection.tiles is not None
    assert (tmp_path / HEATMAPS_SPRITE).exists()


def test_a_detector_of_clips_refuses_images(clips: Detector, tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(tmp_path / "photo.png")
    detection = clips.detect(tmp_path / "photo.png").detection
    assert (detection.verdict, detection.code) == ("not scored", "media.not-media")
    assert "scores videos only" in detection.message
