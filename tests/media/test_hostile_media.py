"""Test that no file, however it is damaged, raises anything but a MediaError, in the catalog and in the decoding of serving."""

import io
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from realframe.config import Limits, Params, resolve_params
from realframe.data.catalog import build_catalog
from realframe.errors import DecoderCrashError, LimitExceededError, MediaError, UnreadableFileError
from realframe.media import still_image
from realframe.media.file_frames import load_file_frames
from realframe.media.limits import contain_failures
from realframe.media.probe import probe_media
from realframe.provenance.origin_reader import read_provenance
from tests.media.numbered_media import extract_params, make_texture, run_ffmpeg_command

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

MAGICS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"RIFF\0\1\0\0WEBP",
    b"RIFF\0\1\0\0AVI ",
    b"BM\0\1\0\0\0\0\0\0",
    b"\0\0\0\x18ftypheic",
    b"\0\0\0\x18ftypavif",
    b"\0\0\0\x18ftypmp42",
    b"\0\0\0\x14ftypqt  ",
    b"\0\0\0\x08moov",
    b"\0\0\0\x01mdat\x40\0\0\0\0\0\0\0",
    b"\x1aE\xdf\xa3",
    b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm",
    b"OggS\0\2" + bytes(22) + b"\1\x2a\x80theora",
    b"ID3",
    b"",
]
IMAGES = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "tif": "TIFF", "webp": "WEBP", "bmp": "BMP", "heic": "HEIF", "avif": "AVIF"}
VIDEOS = {
    "mp4": ["-c:v", "libx264"],
    "mov": ["-c:v", "mjpeg"],
    "mkv": ["-c:v", "ffv1"],
    "webm": ["-c:v", "libvpx-vp9"],
    "avi": ["-c:v", "mpeg4"],
    "ogv": ["-c:v", "libtheora"],
}


@pytest.fixture(scope="module")
def params(root: Path) -> Params:
    resolved = resolve_params(root / "params.yaml", root / "recipes").params
    return resolved.model_copy(update={"extract": extract_params(uniform=2)})


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The bytes of a small real file of each format."""
    folder, found = tmp_path_factory.mktemp("samples"), []
    for image_format in IMAGES.values():
        for options in [{}, {"progressive": True, "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}] if image_format == "JPEG" else [{}]:
            data = io.BytesIO()
            make_texture(64, 48).save(data, image_format, **options)
            found.append(data.getvalue())
    data = io.BytesIO()
    make_texture(64, 48).save(data, "MPO", save_all=True, append_images=[make_texture(64, 48, seed=1)])
    found.append(data.getvalue())
    for suffix, options in VIDEOS.items():
        run_ffmpeg_command("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=5:duration=1", *options, str(folder / f"clip.{suffix}"))
        found.append((folder / f"clip.{suffix}").read_bytes())
    return found


def check_all_entries(data: bytes, path: Path, params: Params, limits: Limits) -> None:
    """Nothing but a MediaError is raised for a file."""
    path.write_bytes(data)
    for use in (lambda: probe_media(path, limits), lambda: load_file_frames(path, params)):
        try:
            use()
        except MediaError as error:
            assert error.reason
    assert read_provenance(path).sentence


HOSTILE = hypothesis_settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@HOSTILE
@given(magic=st.sampled_from(MAGICS), tail=st.binary(max_size=300))
def test_any_bytes_after_a_signature(magic: bytes, tail: bytes, params: Params, limits: Limits, tmp_path: Path) -> None:
    check_all_entries(magic + tail, tmp_path / "file", params, limits)


def mutate(data: bytes, other: bytes, random_source: random.Random) -> bytes:
    """Flip bits, cut, splice in a part of another file, or repeat a part."""
    changed = bytearray(data)
    for _ in range(random_source.randint(1, 3)):
        place = random_source.randrange(max(1, len(changed)))
        place = place if random_source.random() < 0.5 else place % 200  # headers are the most delicate
        match random_source.randrange(4):
            case 0:
                for _ in range(random_source.randint(1, 8)):
                    index = min(len(changed) - 1, place + random_source.randrange(40))
                    changed[index] ^= 1 << random_source.randrange(8)
            case 1:
                del changed[max(1, place) :]
            case 2:
                start = random_source.randrange(len(other))
                changed[place : place + 50] = other[start : start + random_source.randrange(1, 400)]
            case 3:
                changed[place:place] = changed[place : place + random_source.randrange(1, 200)]
    return bytes(changed)


@pytest.mark.slow
@HOSTILE
@given(seed=st.integers(0, 2**32))
def test_any_damage_of_a_real_file(seed: int, samples: list[bytes], params: Params, limits: Limits, tmp_path: Path) -> None:
    random_source = random.Random(seed)
    data, other = random_source.choice(samples), random_source.choice(samples)
    check_all_entries(mutate(data, other, random_source), tmp_path / "file", params, limits)


@pytest.mark.slow
def test_the_catalog_has_a_row_for_each_hostile_file(samples: list[bytes], limits: Limits, tmp_path: Path) -> None:
    random_source, raw = random.Random(7), tmp_path / "raw"
    (raw / "fake").mkdir(parents=True)
    files = [magic + random_source.randbytes(random_source.randrange(200)) for magic in MAGICS for _ in range(2)]
    files += [mutate(data, random_source.choice(samples), random_source) for data in samples for _ in range(4)]
    files += [b"\xff\xd8\xff", b"\0\0\0\x01mdat" + (2**62).to_bytes(8, "big"), *samples]
    for number, data in enumerate(files):
        (raw / "fake" / f"{number}.jpg").write_bytes(data)
    catalog = build_catalog(raw, limits, tmp_path / "cache", workers=2)
    assert catalog.file_count == len(files) == len(catalog.media) + len(catalog.rejected) + catalog.duplicate_count
    assert len(catalog.media) >= len(samples)
    rows = {row["path"]: row for row in catalog.rejected}
    assert rows[f"fake/{len(files) - len(samples) - 2}.jpg"]["code"] == "media.decoder-crash"
    assert rows[f"fake/{len(files) - len(samples) - 1}.jpg"]["code"] == "media.undecodable"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyError("MPO"), DecoderCrashError),
        (RecursionError(), DecoderCrashError),
        (OSError(22, "Invalid argument"), DecoderCrashError),
        (MemoryError(), LimitExceededError),
        (PermissionError(13, "Permission denied"), UnreadableFileError),
    ],
)
def test_whatever_a_library_raises_is_the_fault_of_that_file(
    error: Exception, expected: type[MediaError], limits: Limits, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(still_image.Image, "open", fail)
    with pytest.raises(MediaError) as caught:
        probe_media(photo, limits)
    if not isinstance(error, OSError):
        assert caught.type is expected
    with pytest.raises(expected), contain_failures(photo):
        raise error


@pytest.mark.parametrize("code", [28, 24])
def test_a_full_disk_or_too_many_open_files_is_not_the_fault_of_a_file(code: int, photo: Path) -> None:
    with pytest.raises(OSError, match="machine"), contain_failures(photo):
        raise OSError(code, "machine")


def test_a_damaged_header_that_pillow_does_not_expect(params: Params, limits: Limits, tmp_path: Path) -> None:
    """Pillow raised KeyError: 'MPO' at some of these."""
    data = io.BytesIO()
    first, second = make_texture(64, 48), make_texture(64, 48, seed=1)
    first.save(data, "MPO", save_all=True, append_images=[second])
    for place in range(2, min(len(data.getvalue()), 220)):
        damaged = bytearray(data.getvalue())
        damaged[place] ^= 0x10
        (tmp_path / "file.jpg").write_bytes(damaged)
        try:
            assert isinstance(probe_media(tmp_path / "file.jpg", limits).width, int)
        except MediaError as error:
            assert error.reason
