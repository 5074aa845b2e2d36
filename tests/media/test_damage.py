"""Test that damage of a file is found in every format: little is used with its share, more or an unknown share is refused."""

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from realframe.config import HarmonizeParams, Limits, Params, resolve_params
from realframe.errors import MediaError, UndecodableError
from realframe.media.file_frames import load_file_frames
from realframe.media.harmonize import harmonize_file
from realframe.media.image_damage import decode_image
from realframe.media.limits import MAX_DAMAGED_SHARE
from realframe.media.probe import probe_media
from tests.media.numbered_media import extract_params, make_texture, run_ffmpeg_command

EOI = b"\xff\xd9"
JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart": {"restart_marker_blocks": 7},
    "4:4:4": {"subsampling": 0, "quality": 95},
    "gray": {},
    "CMYK": {},
    "RGB": {"keep_rgb": True},
}


def encode(image_format: str, mode: str = "RGB", **options: object) -> bytes:
    data = io.BytesIO()
    make_texture(640, 480).convert(mode).save(data, image_format, **options)
    return data.getvalue()


def encode_jpeg(kind: str) -> bytes:
    return encode("JPEG", {"gray": "L", "CMYK": "CMYK"}.get(kind, "RGB"), **JPEGS[kind])


def find_damage(data: bytes, container: str) -> float | None:
    """Return the damaged share of an image; raise where it is refused."""
    with decode_image(io.BytesIO(data), container, 10_000_000, "photo") as decoded:
        return decoded.damaged_share


@pytest.mark.parametrize("kind", JPEGS)
def test_a_whole_jpeg_has_no_damage_and_the_pixels_that_pillow_decodes(kind: str) -> None:
    data = encode_jpeg(kind)
    with decode_image(io.BytesIO(data), "jpeg", 10_000_000, "photo") as decoded:
        assert decoded.damaged_share is None
        assert decoded.image.mode == Image.open(io.BytesIO(data)).mode
        assert (np.asarray(decoded.image) == np.asarray(Image.open(io.BytesIO(data)))).all()


def test_orientation_and_profile_of_a_jpeg_are_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    with decode_image(io.BytesIO(encode("JPEG", exif=exif, icc_profile=b"profile")), "jpeg", 10_000_000, "photo") as decoded:
        assert decoded.image.getexif()[0x0112] == 6
        assert decoded.image.info["icc_profile"] == b"profile"


@pytest.mark.parametrize("share", [0.6, 0.4, 0.25, 0.97])
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_is_cut_and_closed_again_is_refused(kind: str, share: float) -> None:
    data = encode_jpeg(kind)
    with pytest.raises(UndecodableError, match="cut short or damaged"):
        find_damage(data[: int(len(data) * share)] + EOI, "jpeg")


@pytest.mark.parametrize("lost", [1, 2, 4, 30])
@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_lacks_its_last_bytes_is_used_with_a_caution(kind: str, lost: int) -> None:
    share = find_damage(encode_jpeg(kind)[:-lost], "jpeg")
    assert share is not None
    assert (share == 0) == (lost <= 2)
    assert share < MAX_DAMAGED_SHARE


@pytest.mark.parametrize("quality", [30, 60, 85, 95])
@pytest.mark.parametrize("kind", ["baseline", "progressive"])
def test_a_jpeg_that_lacks_its_last_bytes_of_data_is_used_with_a_caution(kind: str, quality: int) -> None:
    """The last byte often changes no pixel, so that nothing of the picture shows where it is missing."""
    for seed in range(3):
        data = io.BytesIO()
        make_texture(640, 480, seed=seed).save(data, "JPEG", **JPEGS[kind] | {"quality": quality})
        for lost in (1, 2):
            share = find_damage(data.getvalue()[: -2 - lost] + EOI, "jpeg")
            assert share is not None
            assert 0 < share < MAX_DAMAGED_SHARE


def test_the_share_of_a_cut_jpeg_is_measured() -> None:
    data = encode_jpeg("baseline")
    pixels, cut = (np.asarray(Image.open(io.BytesIO(part))) for part in (data, data[:-150] + EOI))
    truth = (pixels != cut).any(axis=-1).mean()
    assert 0.5 * truth < (find_damage(data[:-150] + EOI, "jpeg") or 0) < 1.5 * truth + 0.001


def test_a_progressive_jpeg_without_its_last_scan_is_refused() -> None:
    """It is blurred as a whole, and libjpeg does not even warn."""
    data = encode_jpeg("progressive")
    with pytest.raises(UndecodableError, match="unknown share"):
        find_damage(data[: data.rindex(b"\xff\xda")] + EOI, "jpeg")


@pytest.mark.parametrize("padding", [b"\0", b"\xff"])
def test_a_jpeg_with_padding_before_its_end_is_whole(padding: bytes) -> None:
    assert find_damage(encode_jpeg("baseline")[:-2] + 20 * padding + EOI, "jpeg") is None


def test_a_jpeg_with_wrong_data_in_its_middle_is_refused() -> None:
    data = encode_jpeg("baseline")
    middle = len(data) // 2
    with pytest.raises(UndecodableError):
        find_damage(data[:middle] + random.Random(1).randbytes(400) + data[middle + 400 :], "jpeg")


def test_a_jpeg_whose_end_is_zeros_is_refused() -> None:
    data = encode_jpeg("baseline")
    with pytest.raises(UndecodableError):
        find_damage(data[: len(data) * 2 // 3] + bytes(len(data) // 3), "jpeg")


def with_text(data: bytes, checksum: int) -> bytes:
    return data[:33] + struct.pack(">I", 3) + b"tEXt" + b"a\0b" + struct.pack(">I", checksum) + data[33:]


def test_damage_of_a_png() -> None:
    data = encode("PNG")
    assert find_damage(data, "png") is None
    assert find_damage(with_text(data, zlib.crc32(b"tEXta\0b")), "png") is None
    assert find_damage(with_text(data, 0), "png") == 0  # no pixel depends on a comment
    assert find_damage(data[:-12], "png") == 0  # only its end marker is missing
    assert 0 < (find_damage(data[:-2000], "png") or 0) < MAX_DAMAGED_SHARE
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    for damaged in (bytes(flipped), data[: len(data) * 9 // 10], data[:-200] + bytes(200)):
        with pytest.raises(UndecodableError):
            find_damage(damaged, "png")


def test_the_rows_of_a_png_that_are_there_are_kept() -> None:
    data = encode("PNG")
    with decode_image(io.BytesIO(data[:-2000]), "png", 10_000_000, "photo") as decoded:
        kept = int(480 * (1 - (decoded.damaged_share or 0)) + 0.5)
        assert (np.asarray(decoded.image)[:kept] == np.asarray(make_texture(640, 480))[:kept]).all()


def test_a_png_that_states_a_huge_size_costs_no_memory() -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    with pytest.raises(MediaError):
        find_damage(bomb + struct.pack(">I", 10**6) + b"IDAT" + zlib.compress(bytes(10**8)), "png")


def test_damage_of_a_bmp() -> None:
    data = encode("BMP")
    assert find_damage(data, "bmp") is None
    assert 0 < (find_damage(data[:-900], "bmp") or 0) < MAX_DAMAGED_SHARE
    with pytest.raises(UndecodableError):
        find_damage(data[: len(data) * 9 // 10], "bmp")


OTHERS = {"webp": ("WEBP", {}), "gif": ("GIF", {}), "tiff": ("TIFF", {}), "heif": ("HEIF", {}), "avif": ("AVIF", {})}


@pytest.mark.slow
@pytest.mark.parametrize("container", OTHERS)
@pytest.mark.parametrize("share", [0.4, 0.95, 0.999])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_other_images_that_are_cut_are_refused(container: str, share: float) -> None:
    image_format, options = OTHERS[container]
    data = encode(image_format, **options)
    assert find_damage(data, container) is None
    kept = int(len(data) * share)
    cuts = [data[:kept]]
    cuts += [data[:kept] + b"\0;"] if container == "gif" else []
    cuts += [data[:kept] + bytes(len(data) - kept)] if container in ("webp", "gif", "heif", "avif") and len(data) - kept >= 64 else []
    if container == "webp":  # as if it were whole
        cuts += [b"RIFF" + struct.pack("<I", kept - 8) + data[8:16] + struct.pack("<I", kept - 20) + data[20:kept]]
    for cut in cuts:
        with pytest.raises(UndecodableError):
            find_damage(cut, container)


@pytest.fixture(scope="module")
def params(root: Path) -> Params:
    resolved = resolve_params(root / "params.yaml", root / "recipes").params
    clean = resolved.clean.model_copy(update={"min_std": 0.0, "min_sharpness": 0.0, "duplicate_distance": -1})
    return resolved.model_copy(update={"clean": clean, "extract": extract_params(uniform=3)})


def damage_packets(source: Path, target: Path, numbers: list[int]) -> None:
    """Overwrite the middle of some packets of a video."""
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as opened:
        packets = [packet for packet in opened.demux(video=0) if packet.size]
        for number in numbers:
            start, size = packets[number].pos, packets[number].size
            length = min(size // 3, 200)
            data[start + size // 3 : start + size // 3 + length] = b"\xfe\xed" * (length // 2) + bytes(length % 2)
    target.write_bytes(data)


CODECS: dict[str, tuple[str, list[str]]] = {
    "mjpeg": ("mov", ["-c:v", "mjpeg", "-q:v", "3"]),
    "h264": ("mp4", ["-c:v", "libx264", "-preset", "ultrafast", "-g", "8", "-bf", "0"]),
    "h264 with B-frames": ("mkv", ["-c:v", "libx264", "-preset", "veryfast", "-g", "8", "-bf", "2"]),
    "mpeg4": ("avi", ["-c:v", "mpeg4", "-q:v", "3", "-g", "8"]),
    "ffv1": ("mkv", ["-c:v", "ffv1", "-level", "3", "-g", "1"]),
    "png": ("mkv", ["-c:v", "png"]),
}
FRAME_COUNT = 3000


@pytest.fixture(scope="module")
def make_long(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the path of a video of 3,000 small frames."""
    folder, made = tmp_path_factory.mktemp("long"), {}

    def make(codec: str) -> Path:
        if codec not in made:
            suffix, options = CODECS[codec]
            made[codec] = folder / f"{len(made)}.{suffix}"
            noise = ["-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=100:duration={FRAME_COUNT / 100}", "-vf", "noise=alls=20:allf=t"]
            run_ffmpeg_command(*noise, *options, str(made[codec]))
        return made[codec]

    return make


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
def test_a_video_with_little_damage_is_used_and_one_with_more_is_refused(
    codec: str, make_long: Callable[[str], Path], params: Params, tmp_path: Path
) -> None:
    whole = make_long(codec)
    assert load_file_frames(whole, params).damaged_share is None
    damage_packets(whole, tmp_path / f"little{whole.suffix}", [1504])  # a key frame
    share = load_file_frames(tmp_path / f"little{whole.suffix}", params).damaged_share
    assert share is not None
    assert 0 < share < MAX_DAMAGED_SHARE
    damage_packets(whole, tmp_path / f"much{whole.suffix}", list(range(104, 2900, 40)))
    with pytest.raises(UndecodableError, match="of its frames"):
        load_file_frames(tmp_path / f"much{whole.suffix}", params)


@pytest.mark.slow
def test_the_damage_of_an_original_is_known_after_harmonization(
    make_long: Callable[[str], Path], params: Params, limits: Limits, tmp_path: Path
) -> None:
    harmonize = HarmonizeParams.model_validate(params.harmonize.model_dump() | {"reencode": True})
    damage_packets(make_long("mjpeg"), tmp_path / "little.mov", [1500])
    facts = probe_media(tmp_path / "little.mov", limits)
    assert harmonize_file(tmp_path / "little.mov", facts, harmonize, limits, tmp_path / "out.mp4") == pytest.approx(1 / FRAME_COUNT)
    frames = load_file_frames(tmp_path / "little.mov", params.model_copy(update={"harmonize": harmonize}))
    assert frames.damaged_share == pytest.approx(1 / FRAME_COUNT)
    damage_packets(make_long("mjpeg"), tmp_path / "much.mov", list(range(104, 2900, 40)))
    with pytest.raises(UndecodableError):
        harmonize_file(tmp_path / "much.mov", probe_media(tmp_path / "much.mov", limits), harmonize, limits, tmp_path / "out.mp4")


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["h264", "h264 with B-frames", "mpeg4", "mjpeg"])
def test_a_video_that_lacks_its_last_frames(codec: str, make_long: Callable[[str], Path], params: Params, tmp_path: Path) -> None:
    whole, streamable = make_long(codec), tmp_path / f"whole{make_long(codec).suffix}"
    options = ["-movflags", "+faststart"] if whole.suffix in (".mp4", ".mov") else []
    run_ffmpeg_command("-i", str(whole), "-c", "copy", *options, str(streamable))
    data, short = streamable.read_bytes(), tmp_path / f"short{whole.suffix}"
    short.write_bytes(data[:-400] if whole.suffix != ".avi" else data[: data.rindex(b"idx1") - 400])
    if whole.suffix != ".avi":  # an AVI has its index at its end
        share = load_file_frames(short, params).damaged_share
        assert share is not None
        assert 0 < share < MAX_DAMAGED_SHARE
    short.write_bytes(data[: len(data) * 9 // 10])
    with pytest.raises(UndecodableError, match="cut short"):
        load_file_frames(short, params)
