"""Test cleaning: all kinds of pictures become upright RGB squares; poor frames are dropped with a reason."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFilter

from realframe.config import CleanParams, Limits, Params, resolve_params
from realframe.errors import LimitExceededError, NoUsableFrameError, UndecodableError
from realframe.files import compute_sha256
from realframe.media.clean import clean_shard, hamming_distance, measure_quality, read_quality_rows
from realframe.media.file_frames import load_file_frames
from realframe.media.shards import read_shard_frames, write_shard
from realframe.media.square import fit_to_square, pad_to_square
from tests.media.numbered_media import MakeVideo, extract_params, make_texture

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)


def write_video_shard(folder: Path, *pictures: Image.Image) -> Path:
    """A shard of a video with these frames, one a second."""
    frames = []
    for place, picture in enumerate(pictures):
        data = io.BytesIO()
        picture.save(data, "PNG")
        frames.append((f"{place:05d}.png", data.getvalue()))
    facts = {"media_id": "a" * 64, "kind": "video", "container": "mp4", "rotation": 0, "times_s": [float(t) for t in range(len(frames))]}
    write_shard(folder / "sampled.tar", facts, frames)
    return folder / "sampled.tar"


def write_image_shard(folder: Path, file: Path, container: str) -> Path:
    facts = {"media_id": "b" * 64, "kind": "image", "container": container, "rotation": 0, "times_s": [0.0]}
    write_shard(folder / "still.tar", facts, [(f"00000{file.suffix}", file.read_bytes())])
    return folder / "still.tar"


def keep_all(**changes: object) -> CleanParams:
    return CleanParams(**{"size": 64, "fit": "crop", "min_std": 0, "min_sharpness": 0, "duplicate_distance": -1} | changes)


def clean_file(file: Path, container: str, limits: Limits, **changes: object) -> np.ndarray:
    clean_shard(write_image_shard(file.parent, file, container), keep_all(**changes), limits, file.parent / "clean.tar")
    frames, _, _ = read_shard_frames(file.parent / "clean.tar")
    assert frames.shape[0] == 1
    return frames[0]


def two_color_picture(mode: str = "RGB") -> Image.Image:
    """64 x 64: the upper half red, the lower left blue, the lower right green."""
    picture = Image.new("RGB", (64, 64), RED)
    picture.paste(BLUE, (0, 32, 32, 64))
    picture.paste(GREEN, (32, 32, 64, 64))
    return picture.convert(mode)


def is_close(pixel: np.ndarray, expected: tuple[int, ...], within: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - expected).max() <= within)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation_is_applied_once(limits: Limits, tmp_path: Path, orientation: int, suffix: str) -> None:
    stored = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    picture = two_color_picture()
    if orientation in stored:
        picture = picture.transpose(Image.Transpose[stored[orientation]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / f"turned.{suffix}", exif=exif, quality=95)
    frame = clean_file(tmp_path / f"turned.{suffix}", "jpeg" if suffix == "jpg" else suffix, limits)
    assert is_close(frame[12, 32], RED)
    assert is_close(frame[52, 12], BLUE)
    assert is_close(frame[52, 52], GREEN)


def test_heic_orientation_is_applied_once(limits: Limits, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    two_color_picture().transpose(Image.Transpose.ROTATE_90).save(tmp_path / "phone.heic", exif=exif.tobytes(), quality=95)
    frame = clean_file(tmp_path / "phone.heic", "heif", limits)
    assert is_close(frame[12, 32], RED, 20)
    assert is_close(frame[52, 12], BLUE, 20)


def test_transparency_becomes_white(limits: Limits, tmp_path: Path) -> None:
    picture = two_color_picture("RGBA")
    picture.putalpha(Image.new("L", (64, 64), 255))
    picture.paste((0, 0, 0, 0), (0, 0, 64, 32))
    picture.save(tmp_path / "alpha.png")
    frame = clean_file(tmp_path / "alpha.png", "png", limits)
    assert is_close(frame[10, 10], (255, 255, 255))
    assert is_close(frame[52, 12], BLUE)


def test_a_transparent_palette_becomes_white(limits: Limits, tmp_path: Path) -> None:
    picture = two_color_picture().quantize(4)
    picture.info["transparency"] = picture.getpixel((10, 10))
    picture.save(tmp_path / "palette.png", transparency=picture.getpixel((10, 10)))
    frame = clean_file(tmp_path / "palette.png", "png", limits)
    assert is_close(frame[10, 10], (255, 255, 255))
    assert is_close(frame[52, 12], BLUE)


@pytest.mark.parametrize(
    ("mode", "suffix", "container"), [("CMYK", "jpg", "jpeg"), ("CMYK", "tif", "tiff"), ("P", "gif", "gif"), ("YCbCr", "jpg", "jpeg")]
)
def test_other_color_models_become_rgb(limits: Limits, tmp_path: Path, mode: str, suffix: str, container: str) -> None:
    two_color_picture(mode).save(tmp_path / f"odd.{suffix}")
    frame = clean_file(tmp_path / f"odd.{suffix}", container, limits)
    assert is_close(frame[12, 32], RED, 35)
    assert is_close(frame[52, 12], BLUE, 35)


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_gray_becomes_rgb(limits: Limits, tmp_path: Path, mode: str) -> None:
    picture = Image.new("L", (64, 64), 0)
    picture.paste(255, (0, 0, 64, 32))
    picture.convert(mode).save(tmp_path / "grey.png")
    frame = clean_file(tmp_path / "grey.png", "png", limits)
    assert is_close(frame[10, 10], (255, 255, 255))
    assert is_close(frame[52, 12], (0, 0, 0))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight_without_clipping(limits: Limits, tmp_path: Path, suffix: str) -> None:
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 64, axis=0)
    Image.fromarray(ramp).save(tmp_path / f"deep.{suffix}")
    frame = clean_file(tmp_path / f"deep.{suffix}", "png" if suffix == "png" else "tiff", limits)
    assert np.abs(frame[32, :, 0].astype(int) - (ramp[0] >> 8)).max() <= 1


def test_floating_point_is_refused(limits: Limits, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 64), np.float32)).save(tmp_path / "depth.tif")
    with pytest.raises(UndecodableError, match="mode F"):
        clean_file(tmp_path / "depth.tif", "tiff", limits)


def swapped_profile() -> bytes:
    """A profile like sRGB's whose red and blue primaries have changed places, so that applying it is easy to see."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    tags = {bytes(profile[132 + 12 * n : 136 + 12 * n]): 132 + 12 * n for n in range(count)}
    profile[tags[b"rXYZ"] : tags[b"rXYZ"] + 4], profile[tags[b"bXYZ"] : tags[b"bXYZ"] + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def renamed(profile: bytes) -> bytes:
    return profile.replace(b"s\0R\0G\0B", b"t\0e\0s\0t").replace(b"sRGB", b"test")


def test_an_icc_profile_is_converted_to_srgb(limits: Limits, tmp_path: Path) -> None:
    two_color_picture().save(tmp_path / "swapped.png", icc_profile=renamed(swapped_profile()))
    frame = clean_file(tmp_path / "swapped.png", "png", limits)
    assert is_close(frame[12, 32], RED[::-1], 4)
    assert is_close(frame[52, 12], BLUE[::-1], 4)


def test_an_srgb_profile_changes_no_pixel(limits: Limits, tmp_path: Path) -> None:
    make_texture(64, 64).save(tmp_path / "tagged.png", icc_profile=swapped_profile())
    assert np.array_equal(clean_file(tmp_path / "tagged.png", "png", limits), np.asarray(make_texture(64, 64)))


def test_a_broken_profile_is_treated_as_srgb(limits: Limits, tmp_path: Path) -> None:
    two_color_picture().save(tmp_path / "broken.png", icc_profile=b"no profile at all")
    assert is_close(clean_file(tmp_path / "broken.png", "png", limits)[12, 32], RED, 1)


def test_crop_keeps_the_middle() -> None:
    wide = Image.new("RGB", (192, 64), RED)
    wide.paste(BLUE, (64, 0, 128, 64))
    frame = np.asarray(fit_to_square(wide, keep_all(fit="crop")))
    assert frame.shape == (64, 64, 3)
    assert is_close(frame[32, 32], BLUE)
    assert is_close(frame[32, 10], BLUE)


def test_pad_keeps_the_whole_picture_between_black_bars() -> None:
    wide = Image.new("RGB", (192, 96), RED)
    frame = np.asarray(pad_to_square(fit_to_square(wide, keep_all(fit="pad")), 64))
    assert frame.shape == (64, 64, 3)
    assert is_close(frame[32, 2], RED)
    assert is_close(frame[5, 32], (0, 0, 0), 0)
    assert is_close(frame[60, 32], (0, 0, 0), 0)


def test_black_bars_do_not_hide_a_blank_frame(limits: Limits, tmp_path: Path) -> None:
    shard = write_video_shard(tmp_path, Image.new("RGB", (192, 64), "white"))
    rows = clean_shard(shard, keep_all(fit="pad", min_std=4.0), limits, tmp_path / "clean.tar")
    assert [row.reason for row in rows] == ["blank"]


def test_stretch_keeps_the_whole_picture() -> None:
    wide = Image.new("RGB", (192, 64), RED)
    wide.paste(BLUE, (96, 0, 192, 64))
    frame = np.asarray(fit_to_square(wide, keep_all(fit="stretch")))
    assert frame.shape == (64, 64, 3)
    assert is_close(frame[32, 10], RED)
    assert is_close(frame[32, 54], BLUE)


def test_each_dropped_frame_has_its_reason(limits: Limits, tmp_path: Path) -> None:
    good, other = make_texture(seed=1), make_texture(seed=2)
    pictures = [Image.new("RGB", (96, 64), "grey"), good.filter(ImageFilter.GaussianBlur(9)), good, good, other]
    rules = keep_all(min_std=4.0, min_sharpness=4.0, duplicate_distance=2)
    rows = clean_shard(write_video_shard(tmp_path, *pictures), rules, limits, tmp_path / "clean.tar")
    assert [row.reason for row in rows] == ["blank", "blurred", "", "duplicate", ""]
    assert [row.is_kept for row in rows] == [False, False, True, False, True]
    frames, indices, times = read_shard_frames(tmp_path / "clean.tar")
    assert indices.tolist() == [2, 4]
    assert times.tolist() == [2.0, 4.0]
    assert frames.dtype == np.uint8
    assert frames.shape == (2, 64, 64, 3)


def test_a_still_scene_keeps_its_first_frame(limits: Limits, tmp_path: Path) -> None:
    rows = clean_shard(write_video_shard(tmp_path, *[make_texture()] * 5), keep_all(duplicate_distance=64), limits, tmp_path / "clean.tar")
    assert [row.is_kept for row in rows] == [True, False, False, False, False]


def test_thresholds_of_zero_keep_all_frames(limits: Limits, tmp_path: Path) -> None:
    rows = clean_shard(write_video_shard(tmp_path, *[Image.new("RGB", (64, 64))] * 3), keep_all(), limits, tmp_path / "clean.tar")
    assert all(row.is_kept for row in rows)


def test_clean_frames_are_lossless(limits: Limits, tmp_path: Path) -> None:
    picture = make_texture(64, 64)
    clean_shard(write_video_shard(tmp_path, picture), keep_all(), limits, tmp_path / "clean.tar")
    frames, _, _ = read_shard_frames(tmp_path / "clean.tar")
    assert np.array_equal(frames[0], np.asarray(picture))


def test_the_shard_contains_the_rows_and_equal_input_gives_equal_bytes(limits: Limits, tmp_path: Path) -> None:
    shard = write_video_shard(tmp_path, make_texture(), make_texture(seed=3))
    rows = clean_shard(shard, keep_all(), limits, tmp_path / "one.tar")
    clean_shard(shard, keep_all(), limits, tmp_path / "two.tar")
    assert read_quality_rows(tmp_path / "one.tar") == rows
    assert compute_sha256(tmp_path / "one.tar") == compute_sha256(tmp_path / "two.tar")
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in tar} == {(0, 0, 0, "")}


def test_a_frame_with_too_many_pixels_is_refused(limits: Limits, tmp_path: Path) -> None:
    with pytest.raises(LimitExceededError):
        clean_shard(
            write_video_shard(tmp_path, make_texture()), keep_all(), limits.model_copy(update={"max_pixels": 100}), tmp_path / "clean.tar"
        )
    assert not (tmp_path / "clean.tar").exists()


def test_hashes_differ_between_pictures_and_ignore_brightness() -> None:
    picture, other = make_texture(256, 256, seed=4), make_texture(256, 256, seed=5)
    brighter = picture.point(lambda value: min(255, value + 12))
    assert hamming_distance(measure_quality(picture).phash, measure_quality(brighter).phash) <= 4
    assert hamming_distance(measure_quality(picture).phash, measure_quality(other).phash) > 12


@pytest.fixture(scope="session")
def params(root: Path) -> Params:
    resolved = resolve_params(root / "params.yaml", root / "recipes").params
    return resolved.model_copy(update={"clean": keep_all(), "extract": extract_params(fps=2)})


def test_load_file_frames(numbered: MakeVideo, params: Params) -> None:
    frames = load_file_frames(numbered(), params)
    assert frames.pictures.shape == (5, 64, 64, 3)
    assert frames.times_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [row.index for row in frames.quality] == frames.indices.tolist()
    assert frames.facts.frames == 60


def test_a_file_without_a_usable_frame_is_refused_with_the_reason(params: Params, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "grey.png")
    strict = params.model_copy(update={"clean": keep_all(min_std=4.0)})
    with pytest.raises(NoUsableFrameError, match="all blank"):
        load_file_frames(tmp_path / "grey.png", strict)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic"])
def test_an_image_that_is_cut_short_is_refused(params: Params, tmp_path: Path, suffix: str) -> None:
    make_texture(256, 256).save(tmp_path / f"whole.{suffix}")
    data = (tmp_path / f"whole.{suffix}").read_bytes()
    (tmp_path / f"short.{suffix}").write_bytes(data[: len(data) // 2])
    with pytest.raises(UndecodableError):
        load_file_frames(tmp_path / f"short.{suffix}", params)
