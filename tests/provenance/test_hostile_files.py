"""Test hostile files: no error, no hang, no excessive memory, no other file opened."""

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from realframe.provenance.origin_reader import read_provenance
from tests.provenance.signed_media import Signatory, created, signed

HEADS = {
    "jpeg": b"\xff\xd8\xff\xe1\x00\x40Exif\0\0II*\0\x08\0\0\0",
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0\x90wS\xde",
    "gif": b"GIF89a\1\0\1\0\0\0\0!\xfe",
    "tiff": b"II*\0\x08\0\0\0\x03\0",
    "webp": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x0c\0\0\0",
    "bmp": b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0",
    "heif": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
    "avif": b"\0\0\0\x18ftypavif\0\0\0\0avifmif1",
    "mp4": b"\0\0\0\x18ftypisom\0\0\0\0isomiso2",
    "mov": b"\0\0\0\x14ftypqt  \0\0\0\0qt  ",
    "mkv": b"\x1aE\xdf\xa3\x93\x42\x82\x88matroska",
    "avi": b"RIFF\x40\0\0\0AVI LIST",
    "audio": b"ID3\4\0",
    "text": b"<!doctype html>",
}
STORE = b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(source: Path, target: Path, *chunks: bytes) -> Path:
    data = source.read_bytes()
    target.write_bytes(data[:33] + b"".join(chunks) + data[33:])
    return target


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HEADS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=400))
def test_arbitrary_bytes_after_a_known_signature(tmp_path: Path, name: str, tail: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(HEADS[name] + tail)
    result = read_provenance(path)
    assert result.sentence
    assert all(len(trace.value) <= 200 for trace in result.traces)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["jpeg", "png", "mp4"])
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=400))
def test_arbitrary_bytes_in_a_manifest_store(tmp_path: Path, name: str, tail: bytes) -> None:
    (tmp_path / "file").write_bytes(HEADS[name] + STORE + tail)
    result = read_provenance(tmp_path / "file").credentials
    assert result is None or result.state == "invalid"


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_truncated_and_changed_files(bare: dict[str, Path], tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(bare[data.draw(st.sampled_from(sorted(bare)))].read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)):
        whole[place] = value
    (tmp_path / "file").write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert read_provenance(tmp_path / "file").sentence


@pytest.mark.parametrize("content", [b"", b"<!doctype html><title>Sora</title>", b"ffconcat version 1.0\nfile /etc/passwd\n", b"ID3\4Lavf"])
def test_a_file_that_is_not_media_reaches_no_parser(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    result = read_provenance(tmp_path / "film.mp4")
    assert (result.credentials, result.traces) == (None, ())
    assert {check.state for check in result.checks} == {"could-not-check"}
    assert result.sentence.startswith("It is not an image or video")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.png", tmp_path / ("x" * 5000), tmp_path / "a\0b"):
        assert read_provenance(path).traces == ()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_a_zip_bomb_in_a_text_chunk(bare: dict[str, Path], tmp_path: Path, kind: bytes) -> None:
    packed = zlib.compress(bytes(200_000_000), 9)
    bomb = chunk(kind, b"parameters\0" + (b"\0" if kind == b"zTXt" else b"\1\0\0\0") + packed)
    file = with_chunks(bare["png"], tmp_path / "bomb.png", chunk(b"tEXt", b"Software\0NovelAI"), bomb)
    assert peak_mb(file) < 150


def test_huge_text_is_shortened(bare: dict[str, Path], tmp_path: Path) -> None:
    text = b"Steps: 20, Sampler: Euler " * 400_000
    file = with_chunks(bare["png"], tmp_path / "long.png", chunk(b"tEXt", b"parameters\0" + text))
    result = read_provenance(file)
    assert [(trace.tool, len(trace.value)) for trace in result.traces] == [("Stable Diffusion web UI", 200)]


@pytest.mark.parametrize(
    "text",
    [
        'xmp:CreatorTool="' * 60_000,
        "<rdf:li " * 100_000,
        "xmp:CreatorTool" + " " * 900_000,
        "made with " * 100_000,
        "<dc:description>" * 60_000,
    ],
)
def test_no_text_takes_long(bare: dict[str, Path], tmp_path: Path, text: str) -> None:
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text.encode())
    comments = [chunk(b"tEXt", f"{place}".encode() + b"\0" + text.encode()[:60_000]) for place in range(40)]
    file = with_chunks(bare["png"], tmp_path / "slow.png", packet, *comments)
    began = time.process_time()
    read_provenance(file)
    assert time.process_time() - began < 3


def test_a_manifest_of_many_megabytes(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    actions = [*created("trainedAlgorithmicMedia"), *[{"action": "c2pa.edited", "parameters": {"description": "x" * 8_000}}] * 100]
    file = signed(bare["jpg"], tmp_path / "large.jpg", "image/jpeg", signer, actions)
    result = read_provenance(file).credentials
    assert result is not None
    assert result.origin == "ai-generated"


def test_deep_json_in_a_manifest(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    deep: dict[str, object] = {}
    for _ in range(60):
        deep = {"a": deep}
    actions = [{**created("digitalCapture")[0], "parameters": {"com.example.deep": deep}}]
    file = signed(bare["png"], tmp_path / "deep.png", "image/png", signer, actions)
    assert read_provenance(file).credentials is not None


def test_a_picture_of_a_billion_pixels_is_not_decoded(tmp_path: Path) -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(data)
    assert peak_mb(tmp_path / "bomb.png") < 150


def test_file_names_are_not_parsed_as_options(picture: Image.Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    picture.save("plain.jpg", comment=b"Steps: 20, Sampler: Euler")
    for name in ("-h", "http:", "concat:a|b", "%d.jpg"):
        Path("plain.jpg").rename(name)
        assert len(read_provenance(Path(name)).traces) == 1
        Path(name).rename("plain.jpg")


def peak_mb(file: Path) -> int:
    """Return by how many MiB reading a file raises the peak memory of a process of its own."""
    code = "import resource as r, sys, pathlib as p; from realframe.provenance.origin_reader import read_provenance as of\n"
    code += "peak = lambda: r.getrusage(r.RUSAGE_SELF).ru_maxrss\nbefore = peak(); of(p.Path(sys.argv[1])); print(peak() - before)"
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    return int(done.stdout) // 1024
