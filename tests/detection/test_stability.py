"""Test the stability of single images: the verdict of a detector that goes by fine detail does not survive a smaller size."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from realframe.cli import app
from realframe.config import Params
from realframe.detection.detector import Detector
from realframe.detection.result_cache import ResultCache
from realframe.detection.stability import HALF_SIZE_JPEG, MAX_CHANGE, find_instability, load_views
from realframe.media.file_frames import load_file_frames
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import Detection
from tests import run_folder
from tests.detection_factory import BAND

probabilities = st.floats(0, 1)


@pytest.fixture(scope="module")
def params(detail_run: Path) -> Params:
    return Detector.load(str(detail_run)).loaded.params


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    """A picture of noise, which is lost at half its size, and one of broad stripes, which stays."""
    noise = np.repeat(np.random.default_rng(0).integers(0, 256, (32, 32, 1), np.uint8), 3, axis=2)
    stripes = np.kron(np.tile([[0], [255]], (2, 1)), np.ones((8, 32))).astype(np.uint8)
    files = {"noise": tmp_path / "noise.png", "stripes": tmp_path / "stripes.png"}
    Image.fromarray(noise).save(files["noise"])
    Image.fromarray(stripes).convert("RGB").save(files["stripes"])
    return files


def _detect(run: Path, *files: Path) -> list[Detection]:
    result = CliRunner().invoke(app, ["detect", "--json", "--no-store", "--model", str(run), *map(str, files)])
    words = ("basis", "scope")
    return [
        Detection.model_validate({name: value for name, value in row.items() if name not in words}) for row in json.loads(result.stdout)
    ]


def test_a_single_picture_whose_verdict_depends_on_its_size_is_uncertain(detail_run: Path, pictures: dict[str, Path]) -> None:
    (alone,) = _detect(detail_run, pictures["noise"])
    assert alone.verdict == "uncertain"
    (caution,) = [caution for caution in alone.cautions if caution.code == "quality.unstable"]
    assert alone.probability is not None
    assert f"{alone.probability:.0%}".replace("%", " %") in caution.message
    assert HALF_SIZE_JPEG in caution.message
    together = _detect(detail_run, *pictures.values())
    assert together[0].verdict == "ai-generated"  # of several files the stability is not measured
    assert "quality.unstable" not in {caution.code for caution in together[0].cautions}
    assert together[0].probability == alone.probability


def test_a_stable_picture_keeps_its_verdict(detail_run: Path, pictures: dict[str, Path]) -> None:
    (alone,) = _detect(detail_run, pictures["stripes"])
    assert (alone.verdict, alone.cautions) == ("real", ())


def test_views_are_files_that_are_cleaned_like_the_picture(pictures: dict[str, Path], params: Params) -> None:
    frames = load_file_frames(pictures["noise"], params)
    views = load_views(pictures["noise"], "png", params)
    assert list(views) == [HALF_SIZE_JPEG]
    assert views[HALF_SIZE_JPEG].shape == frames.pictures.shape
    detail = [float(np.abs(np.diff(picture.astype(int), axis=2)).mean()) for picture in (frames.pictures, views[HALF_SIZE_JPEG])]
    assert detail[1] < detail[0] / 2


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "I;16"])
def test_every_kind_of_picture_has_upright_views(tmp_path: Path, params: Params, mode: str) -> None:
    half = np.zeros((40, 80), np.uint8)
    half[:, 40:] = 220
    image = Image.fromarray(half).convert("RGB").convert(mode) if mode != "I;16" else Image.fromarray(half.astype(np.uint16) * 257)
    sideways = Image.Exif()
    sideways[0x0112] = 6
    container = "jpeg" if mode in ("L", "CMYK") else "png"
    path = tmp_path / f"turned.{container}"
    image.save(path, exif=sideways)
    expected = load_file_frames(path, params).pictures.astype(int)
    for view in load_views(path, container, params).values():
        assert np.abs(view.astype(int) - expected).mean() < 12


def test_a_detector_of_unscaled_squares_sees_the_same_part_of_the_view(tmp_path: Path, params: Params) -> None:
    """At half its size, the middle of the picture would show more of it."""
    side = run_folder.SIZE
    frame = np.zeros((3 * side, 3 * side, 3), np.uint8)
    frame[side : 2 * side, side : 2 * side] = np.tile(np.linspace(0, 255, side, dtype=np.uint8)[:, None], (side, 1, 3))
    Image.fromarray(frame).save(tmp_path / "framed.png")
    crop = params.harmonize.crop.model_copy(update={"image": side})
    harmonize, clean = params.harmonize.model_copy(update={"crop": crop}), params.clean.model_copy(update={"min_sharpness": 0.0})
    cropping = params.model_copy(update={"harmonize": harmonize, "clean": clean})
    expected = load_file_frames(tmp_path / "framed.png", cropping).pictures.astype(int)
    (view,) = load_views(tmp_path / "framed.png", "png", cropping).values()
    assert np.abs(view.astype(int) - expected).mean() < 8


def test_a_view_that_cannot_be_used_is_left_out(pictures: dict[str, Path], params: Params) -> None:
    detailed = params.model_copy(update={"clean": params.clean.model_copy(update={"min_sharpness": 1e6})})
    assert load_views(pictures["noise"], "png", detailed) == {}


def test_no_view_is_made_where_there_is_no_verdict(detail_run: Path, pictures: dict[str, Path]) -> None:
    detector = Detector.load(str(detail_run))
    assert detector.decode(pictures["noise"], measures_stability=True).views
    assert not detector.decode(pictures["noise"]).views
    metrics = detail_run / "reports" / "metrics.json"
    before = metrics.read_text()
    run_folder.set_verdicts(detail_run, image="too-few-sources")
    assert not Detector.load(str(detail_run)).decode(pictures["noise"], measures_stability=True).views
    metrics.write_text(before)


def test_single_files_have_a_cache_of_their_own(tmp_path: Path) -> None:
    single, batch = ResultCache(tmp_path, "key", measures_stability=True), ResultCache(tmp_path, "key")
    assert single.folder("ab" * 32) != batch.folder("ab" * 32)


@given(probabilities, st.lists(probabilities, min_size=1, max_size=2))
def test_a_verdict_stands_if_no_view_contradicts_it_or_is_far_away(probability: float, views: list[float]) -> None:
    caution = find_instability(probability, dict(zip((HALF_SIZE_JPEG, "another view"), views, strict=False)), BAND)
    verdict = BAND.verdict(probability)
    is_near = all(abs(view - probability) <= MAX_CHANGE for view in views)
    if caution is None:
        assert is_near
        assert verdict == "uncertain" or all(BAND.verdict(view) == verdict for view in views)
    else:
        assert not is_near or any(BAND.verdict(view) != verdict for view in views)
    assert find_instability(probability, {}, UncertaintyBand(0.0, 1.0, 1.0)) is None
