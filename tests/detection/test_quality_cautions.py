"""The cautions about the quality of a file."""

from dataclasses import replace

import pytest

from realframe.config import Params, resolve_params
from realframe.detection.cautions import find_quality_cautions
from realframe.media.probe import MediaFacts
from realframe.presentation.wording import CAUTION_TITLES
from tests.trained_checkout import ROOT

CLIP = MediaFacts("video", "mp4", "h264", 1280, 720, 0, 30.0, False, 300, 10.0, 5_000_000, "", 0, "")
PHOTO = MediaFacts("image", "jpeg", "jpeg", 4000, 3000, 0, 0.0, False, 1, 0.0, 3_000_000, "", 92, "exif")


def _params(**overrides: object) -> Params:
    return resolve_params(ROOT / "params.yaml", ROOT / "recipes", overrides=overrides).params


def _codes(facts: MediaFacts, frame_count: int = 10, **overrides: object) -> list[str]:
    return [caution.code for caution in find_quality_cautions(facts, frame_count, _params(**overrides))]


def test_a_good_file_has_no_caution() -> None:
    assert _codes(CLIP) == _codes(PHOTO, 1) == []


@pytest.mark.parametrize(
    ("width", "height", "fit", "tiny"),
    [(255, 900, "crop", True), (256, 256, "crop", False), (255, 900, "pad", False), (200, 255, "pad", True), (900, 255, "stretch", True)],
)
def test_an_enlarged_file_is_tiny(width: int, height: int, fit: str, tiny: bool) -> None:
    cautions = list(find_quality_cautions(replace(PHOTO, width=width, height=height), 1, _params(**{"clean.fit": fit})))
    assert [caution.code for caution in cautions] == ["quality.tiny"] * tiny
    if tiny:
        assert f"{width} x {height} pixels" in cautions[0].message


def test_no_file_is_tiny_if_all_are_cropped_to_one_size() -> None:
    assert _codes(replace(PHOTO, width=200, height=200), 1, **{"harmonize.crop": {"image": 128, "video": 128}}) == []


@pytest.mark.parametrize(("quality", "cautions"), [(49, ["quality.compressed"]), (50, []), (0, [])])
def test_a_jpeg_by_its_quality(quality: int, cautions: list[str]) -> None:
    assert _codes(replace(PHOTO, jpeg_quality=quality), 1) == cautions


@pytest.mark.parametrize(
    ("codec", "bits", "cautions"),
    [
        ("h264", 0.034, 1),
        ("h264", 0.036, 0),
        ("hevc", 0.02, 0),
        ("av1", 0.012, 0),
        ("av1", 0.011, 1),
        ("mpeg4", 0.05, 1),
        ("ffv1", 0.001, 0),
    ],
)
def test_a_video_by_its_bits_per_pixel(codec: str, bits: float, cautions: int) -> None:
    size = int(bits * CLIP.frames * CLIP.width * CLIP.height / 8)
    assert _codes(replace(CLIP, codec=codec, bytes=size)) == ["quality.compressed"] * cautions


@pytest.mark.parametrize(
    ("facts", "change", "code", "words"),
    [
        (CLIP, {"extra_bytes": 1280}, "quality.extra-data", "1,280 bytes follow the end of the video"),
        (CLIP, {"picture_count": 2}, "quality.more-pictures", "2 video tracks, of which only the one that players show"),
        (PHOTO, {"picture_count": 12}, "quality.more-pictures", "12 pictures, of which only the first"),
        (CLIP, {"is_interlaced": True}, "quality.interlaced", "were deinterlaced, as players do"),
        (CLIP, {"hdr": "HLG"}, "quality.hdr", "(HLG) and was converted to ordinary colors"),
    ],
)
def test_what_was_changed_or_left_out_is_told(facts: MediaFacts, change: dict[str, object], code: str, words: str) -> None:
    (caution,) = find_quality_cautions(replace(facts, **change), 9, _params())
    assert caution.code == code
    assert words in caution.message
    assert code in CAUTION_TITLES


@pytest.mark.parametrize(("frame_count", "cautions"), [(1, True), (2, True), (3, False)])
def test_few_frames_of_a_video(frame_count: int, cautions: bool) -> None:
    assert _codes(CLIP, frame_count) == ["quality.few-frames"] * cautions
    assert _codes(PHOTO, 1) == []


@pytest.mark.parametrize(
    ("share", "words"), [(0.0, "all its pixels are there"), (0.004, "up to 0.40% of its pixels"), (1e-6, "up to 0.01%")]
)
def test_a_slightly_damaged_file(share: float, words: str) -> None:
    (caution,) = find_quality_cautions(PHOTO, 1, _params(), share)
    assert caution.code == "quality.damaged"
    assert words in caution.message
