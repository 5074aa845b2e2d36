"""What makes an answer worth less because of the file's quality."""

from dataclasses import replace

import pytest

from realframe.config import Params, resolve
from realframe.detection.cautions import cautions_of
from realframe.media.probe import MediaFacts
from tests.pilot import ROOT

CLIP = MediaFacts("video", "mp4", "h264", 1280, 720, 0, 30.0, False, 300, 10.0, 5_000_000, "", 0, "")
PHOTO = MediaFacts("image", "jpeg", "jpeg", 4000, 3000, 0, 0.0, False, 1, 0.0, 3_000_000, "", 92, "exif")


def _run(**changed: object) -> Params:
    return resolve(ROOT / "params.yaml", ROOT / "recipes", overrides=changed).params


def _codes(facts: MediaFacts, looked_at: int = 10, **changed: object) -> list[str]:
    return [caution.code for caution in cautions_of(facts, looked_at, _run(**changed))]


def test_a_good_file_has_none() -> None:
    assert _codes(CLIP) == _codes(PHOTO, 1) == []


@pytest.mark.parametrize(
    ("width", "height", "fit", "tiny"),
    [(255, 900, "crop", True), (256, 256, "crop", False), (255, 900, "pad", False), (200, 255, "pad", True), (900, 255, "stretch", True)],
)
def test_what_is_enlarged_is_tiny(width: int, height: int, fit: str, tiny: bool) -> None:
    found = list(cautions_of(replace(PHOTO, width=width, height=height), 1, _run(**{"clean.fit": fit})))
    assert [caution.code for caution in found] == ["quality.tiny"] * tiny
    if tiny:
        assert f"{width} x {height} pixels" in found[0].message


def test_where_every_picture_is_cropped_to_one_size_none_is_tiny() -> None:
    assert _codes(replace(PHOTO, width=200, height=200), 1, **{"harmonize.crop": {"image": 128, "video": 128}}) == []


@pytest.mark.parametrize(("quality", "said"), [(49, ["quality.compressed"]), (50, []), (0, [])])
def test_a_jpeg_by_its_quality(quality: int, said: list[str]) -> None:
    assert _codes(replace(PHOTO, jpeg_quality=quality), 1) == said


@pytest.mark.parametrize(
    ("codec", "bits", "said"),
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
def test_a_video_by_its_bits_per_pixel(codec: str, bits: float, said: int) -> None:
    size = int(bits * CLIP.frames * CLIP.width * CLIP.height / 8)
    assert _codes(replace(CLIP, codec=codec, bytes=size)) == ["quality.compressed"] * said


@pytest.mark.parametrize(("looked_at", "said"), [(1, True), (2, True), (3, False)])
def test_few_frames_of_a_video(looked_at: int, said: bool) -> None:
    assert _codes(CLIP, looked_at) == ["quality.few-frames"] * said
    assert _codes(PHOTO, 1) == []
