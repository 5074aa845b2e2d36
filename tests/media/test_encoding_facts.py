"""What a file betrays of its history: quantization tables, and what it carries besides its pictures."""

from pathlib import Path

import pytest
from tests.media.numbered_media import Maker, ffmpeg_run, texture
from PIL import ImageCms
from PIL.PngImagePlugin import PngInfo

from realframe.config import Limits
from realframe.media.probe import probe_media


@pytest.mark.parametrize("quality", [1, 5, 30, 49, 50, 51, 75, 85, 90, 95, 99])
def test_the_quality_of_a_jpeg_is_read_back(limits: Limits, tmp_path: Path, quality: int) -> None:
    texture().save(tmp_path / "a.jpg", quality=quality)
    assert probe_media(tmp_path / "a.jpg", limits).jpeg_quality == quality


def test_equal_tables_have_one_digest_and_others_another(limits: Limits, tmp_path: Path) -> None:
    for name, seed, quality in (("a", 1, 90), ("b", 2, 90), ("c", 1, 80)):
        texture(seed=seed).save(tmp_path / f"{name}.jpg", quality=quality)
    texture().save(tmp_path / "d.png")
    one, other, third, none = (probe_media(path, limits) for path in sorted(tmp_path.iterdir()))
    assert one.quantization == other.quantization != third.quantization
    assert len(one.quantization) == 12 and (none.quantization, none.jpeg_quality) == ("", 0)


def test_what_an_image_carries_is_named(limits: Limits, tmp_path: Path) -> None:
    prompt = PngInfo()
    prompt.add_text("Parameters", "a cat, 20 steps")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = texture().getexif()
    exif[0x010F] = "Maker"
    texture().save(tmp_path / "drawn.png", pnginfo=prompt)
    texture().save(tmp_path / "bare.png")
    texture().save(tmp_path / "shot.jpg", exif=exif, icc_profile=profile, comment=b"hello", progressive=True)
    found = {path.name: probe_media(path, limits).metadata for path in tmp_path.iterdir()}
    assert found == {"drawn.png": "parameters", "bare.png": "", "shot.jpg": "comment dpi exif icc jfif progressive"}


def test_what_a_video_carries_is_named(numbered: Maker, limits: Limits, tmp_path: Path) -> None:
    sound = ["-f", "lavfi", "-i", "sine=duration=2", "-shortest", "-c:v", "copy"]
    ffmpeg_run("-i", str(numbered()), *sound, "-metadata", "title=A walk", str(tmp_path / "told.mp4"))
    silent, told = (set(probe_media(path, limits).metadata.split()) for path in (numbered(), tmp_path / "told.mp4"))
    assert {"encoder", "stream.handler_name"} <= silent
    assert told - silent == {"audio", "title"}


def test_a_name_of_a_stranger_can_not_grow_or_split(limits: Limits, tmp_path: Path) -> None:
    chunk = PngInfo()
    for number in range(200):
        chunk.add_text(f"{number:03d} {'long name ' * 6}", "x")
    texture().save(tmp_path / "a.png", pnginfo=chunk)
    names = probe_media(tmp_path / "a.png", limits).metadata.split()
    assert len(names) == 64 and max(map(len, names)) == 40
