"""Test that the picture of an image file that is used is the one that a viewer shows first, or that the file is refused with the reason."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageOps

from realframe.config import Limits
from realframe.errors import LimitExceededError, MediaError, NotMediaError, UndecodableError
from realframe.media.image_damage import decode_image
from realframe.media.probe import MediaFacts, probe_media
from realframe.provenance.origin_reader import read_provenance
from tests.media.numbered_media import make_texture
from tests.media.special_media import CFA, add_png_chunks, encode_png, make_workflow, write_preview_tiff

FULL, PREVIEW = make_texture(320, 240), make_texture(40, 30, seed=1)
CANON_RAW = b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0\x02\0" + struct.pack("<HHIIHHII", 256, 3, 1, 40, 257, 3, 1, 30) + bytes(4)
"""A directory with a size, and Canon's mark of a raw file behind the header."""


def read_picture(path: Path, limits: Limits) -> tuple[MediaFacts, Image.Image]:
    """The facts of an image file and its picture, upright."""
    facts = probe_media(path, limits)
    with decode_image(path, facts.container, limits.max_pixels, path) as decoded:
        return facts, ImageOps.exif_transpose(decoded.image).convert("RGB")


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_full_picture_of_a_tiff_is_used_and_not_its_preview(limits: Limits, tmp_path: Path, orientation: int) -> None:
    write_preview_tiff(tmp_path / "IMG_1.DNG", FULL, PREVIEW, orientation=orientation)
    facts, picture = read_picture(tmp_path / "IMG_1.DNG", limits)
    assert (facts.width, facts.height) == picture.size == ((320, 240) if orientation == 1 else (240, 320))
    assert np.array_equal(np.asarray(picture), np.asarray(FULL if orientation == 1 else FULL.transpose(Image.Transpose.ROTATE_270)))
    assert facts.picture_count == 1


def test_raw_files_are_refused_and_their_origin_is_read(limits: Limits, tmp_path: Path) -> None:
    write_preview_tiff(tmp_path / "a.nef", FULL, PREVIEW, photometric=CFA)
    with pytest.raises(UndecodableError, match=r"a camera's raw file: its full picture is undeveloped sensor data \(320x240\)"):
        probe_media(tmp_path / "a.nef", limits)
    assert read_provenance(tmp_path / "a.nef").traces[0].value == "Nik"
    (tmp_path / "b.cr2").write_bytes(CANON_RAW)
    with pytest.raises(UndecodableError, match="a camera's raw file"):
        probe_media(tmp_path / "b.cr2", limits)
    (tmp_path / "c.cr3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100))
    with pytest.raises(NotMediaError):
        probe_media(tmp_path / "c.cr3", limits)


def test_the_first_page_of_a_document_is_used_and_the_others_are_counted(limits: Limits, tmp_path: Path) -> None:
    make_texture(64, 48).save(tmp_path / "pages.tif", save_all=True, append_images=[FULL, FULL])
    facts, picture = read_picture(tmp_path / "pages.tif", limits)
    assert (facts.picture_count, picture.size) == (3, (64, 48))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_of_a_rotated_tiff_is_that_shown(limits: Limits, tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    FULL.save(tmp_path / "turned.tif", exif=exif)
    facts, picture = read_picture(tmp_path / "turned.tif", limits)
    assert (facts.width, facts.height) == picture.size == ((240, 320) if orientation >= 5 else (320, 240))
    assert np.array_equal(np.asarray(picture), np.asarray(Image.open(tmp_path / "turned.tif").convert("RGB")))


@pytest.mark.parametrize("suffix", ["png", "webp", "avif"])
def test_the_first_picture_of_an_animation_is_used_and_the_others_are_counted(limits: Limits, tmp_path: Path, suffix: str) -> None:
    rest = [make_texture(seed=seed) for seed in (1, 2)]
    make_texture().save(tmp_path / f"a.{suffix}", save_all=True, append_images=rest, **({"lossless": True} if suffix == "webp" else {}))
    facts, picture = read_picture(tmp_path / f"a.{suffix}", limits)
    assert (facts.kind, facts.picture_count) == ("image", 3)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(make_texture())).mean() < 12


def test_the_picture_of_an_animated_png_that_browsers_never_show_is_not_used(limits: Limits, tmp_path: Path) -> None:
    hidden, shown = make_texture(seed=5), [make_texture(seed=seed) for seed in (1, 2)]
    hidden.save(tmp_path / "a.png", save_all=True, default_image=True, append_images=shown)
    facts, picture = read_picture(tmp_path / "a.png", limits)
    assert facts.picture_count == 2
    assert np.array_equal(np.asarray(picture), np.asarray(shown[0]))


def test_the_other_pictures_of_a_multi_picture_jpeg_do_not_count(limits: Limits, tmp_path: Path) -> None:
    make_texture().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[make_texture(seed=1)])
    facts, picture = read_picture(tmp_path / "a.jpg", limits)
    assert facts.picture_count == 1
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(make_texture())).mean() < 12


TEXTS = {
    "tEXt": b"workflow\0%s",
    "iTXt": b"workflow\0\0\0\0\0%s",
    "zipped iTXt": b"workflow\0\1\0\0\0%s",
    "zTXt": b"workflow\0\0%s",
}


@pytest.mark.parametrize("place", ["before the pixels", "behind the pixels"])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_png_with_a_long_workflow_is_used_and_its_origin_is_read(limits: Limits, tmp_path: Path, kind: str, place: str) -> None:
    text = make_workflow(60_000).encode()
    assert len(text) > 1_500_000
    chunk = (kind[-4:].encode(), TEXTS[kind] % (zlib.compress(text) if kind in ("zipped iTXt", "zTXt") else text))
    data = add_png_chunks(encode_png(FULL), chunk)
    if place == "behind the pixels":
        body = data[33 : len(data) - len(encode_png(FULL)) + 33]
        data = encode_png(FULL)[:-12] + body + encode_png(FULL)[-12:]
    (tmp_path / "comfy.png").write_bytes(data)
    facts, picture = read_picture(tmp_path / "comfy.png", limits)
    assert np.array_equal(np.asarray(picture), np.asarray(FULL))
    assert facts.metadata == "workflow"
    (trace,) = read_provenance(tmp_path / "comfy.png").traces
    assert (trace.origin, trace.tool) == ("ai-generated", "ComfyUI")


def test_texts_of_many_megabytes_cost_neither_the_file_nor_the_memory(limits: Limits, tmp_path: Path) -> None:
    bombs = [(b"zTXt", b"a\0\0" + zlib.compress(bytes(5_000_000)))] * 30
    (tmp_path / "bombs.png").write_bytes(add_png_chunks(encode_png(FULL), *bombs))
    _, picture = read_picture(tmp_path / "bombs.png", limits)
    assert np.array_equal(np.asarray(picture), np.asarray(FULL))


@pytest.mark.parametrize("transfer", [16, 18, 13])
@pytest.mark.parametrize("suffix", ["png", "heic", "tif"])
def test_a_picture_of_high_dynamic_range_is_refused(limits: Limits, tmp_path: Path, suffix: str, transfer: int) -> None:
    path = tmp_path / f"picture.{suffix}"
    if suffix == "png":
        path.write_bytes(add_png_chunks(encode_png(FULL), (b"cICP", bytes([9, transfer, 0, 1]))))
    elif suffix == "heic":
        pillow_heif.from_pillow(FULL).save(path, color_primaries=9, transfer_characteristics=transfer, matrix_coefficients=9)
    else:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + b"cicp\0\0\0\0" + bytes([9, transfer, 0, 1])
        FULL.save(path, icc_profile=profile)
    if transfer == 13:  # sRGB
        assert probe_media(path, limits).width == 320
        return
    with pytest.raises(UndecodableError, match=rf"high dynamic range \({'PQ' if transfer == 16 else 'HLG'}\)"):
        probe_media(path, limits)


def test_a_limit_that_is_raised_takes_effect_beyond_pillows_own(limits: Limits, tmp_path: Path) -> None:
    header = b"BM" + bytes(8) + struct.pack("<IIiiHH", 54, 40, 20_000, 20_000, 1, 24) + bytes(24)
    (tmp_path / "huge.bmp").write_bytes(header)
    with pytest.raises(LimitExceededError, match=r"raise limits\.max_pixels in params\.yaml"):
        probe_media(tmp_path / "huge.bmp", limits)
    assert probe_media(tmp_path / "huge.bmp", limits.model_copy(update={"max_pixels": 10**9})).width == 20_000


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kept", [10, 60, 200])
def test_a_tiff_whose_directories_make_no_sense_is_refused(limits: Limits, tmp_path: Path, kept: int) -> None:
    write_preview_tiff(tmp_path / "a.tif", FULL, PREVIEW)
    data = (tmp_path / "a.tif").read_bytes()
    at = int.from_bytes(data[4:8], "little")
    (tmp_path / "a.tif").write_bytes(data[: at + kept])
    with pytest.raises(MediaError):
        read_picture(tmp_path / "a.tif", limits)
