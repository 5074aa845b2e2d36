"""Test the facts of a file's encoding history: quantization tables and metadata names."""

from pathlib import Path

import pytest
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from realframe.config import Limits
from realframe.media.probe import probe_media
from tests.media.numbered_media import MakeVideo, make_texture, run_ffmpeg_command


@pytest.mark.parametrize("quality", [1, 5, 30, 49, 50, 51, 75, 85, 90, 95, 99])
def test_the_quality_of_a_jpeg_is_estimated(limits: Limits, tmp_path: Path, quality: int) -> None:
    make_texture().save(tmp_path / "a.jpg", quality=quality)
    assert probe_media(tmp_path / "a.jpg", limits).jpeg_quality == quality


def test_equal_quantization_tables_have_equal_digests(limits: Limits, tmp_path: Path) -> None:
    for name, seed, quality in (("a", 1, 90), ("b", 2, 90), ("c", 1, 80)):
        make_texture(seed=seed).save(tmp_path / f"{name}.jpg", quality=quality)
    make_texture().save(tmp_path / "d.png")
    one, other, third, none = (probe_media(path, limits) for path in sorted(tmp_path.iterdir()))
    assert one.quantization == other.quantization != third.quantization
    assert len(one.quantization) == 12 and (none.quantization, none.jpeg_quality) == ("", 0)


def test_metadata_names_of_an_image(limits: Limits, tmp_path: Path) -> None:
    prompt = PngInfo()
    prompt.add_text("Parameters", "a cat, 20 steps")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = make_texture().getexif()
    exif[0x010F] = "MakeVideo"
    make_texture().save(tmp_path / "drawn.png", pnginfo=prompt)
    make_texture().save(tmp_path / "bare.png")
    make_texture().save(tmp_path / "shot.jpg", exif=exif, icc_profile=profile, comment=b"hello", progressive=True)
    names_by_file = {path.name: probe_media(path, limits).metadata for path in tmp_path.iterdir()}
    assert names_by_file == {"drawn.png": "parameters", "bare.png": "", "shot.jpg": "comment dpi exif icc jfif progressive"}


def test_metadata_names_of_a_video(numbered: MakeVideo, limits: Limits, tmp_path: Path) -> None:
    sound = ["-f", "lavfi", "-i", "sine=duration=2", "-shortest", "-c:v", "copy"]
    run_ffmpeg_command("-i", str(numbered()), *sound, "-metadata", "title=A walk", str(tmp_path / "tagged.mp4"))
    silent, tagged = (set(probe_media(path, limits).metadata.split()) for path in (numbered(), tmp_path / "tagged.mp4"))
    assert {"encoder", "stream.handler_name"} <= silent
    assert tagged - silent == {"audio", "title"}


def test_metadata_names_are_limited_in_number_and_length(limits: Limits, tmp_path: Path) -> None:
    chunk = PngInfo()
    for number in range(200):
        chunk.add_text(f"{number:03d} {'long name ' * 6}", "x")
    make_texture().save(tmp_path / "a.png", pnginfo=chunk)
    names = probe_media(tmp_path / "a.png", limits).metadata.split()
    assert len(names) == 64 and max(map(len, names)) == 40
