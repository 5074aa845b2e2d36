"""Test the three states of each check of a file's origin with real files: found, not found, could not be checked."""

from pathlib import Path

import pytest
from PIL import Image

from realframe.provenance.origin_reader import ORIGIN_CHECKS, read_provenance
from tests.provenance.signed_media import Signatory, created, signed
from tests.provenance.test_embedded_metadata import XMP, png, tagged


def find_states(path: Path) -> dict[str, str]:
    checks = read_provenance(path).checks
    assert tuple(check.name for check in checks) == ORIGIN_CHECKS
    assert all(check.reason for check in checks if check.state == "could-not-check")
    return {check.name: check.state for check in checks}


def save_with_exif(path: Path, picture: Image.Image, *, cut: bool) -> Path:
    exif = Image.Exif()
    exif[0x0131] = "GIMP 3"
    data = exif.tobytes()
    picture.save(path, exif=data[:14] if cut else data)
    return path


def test_everything_is_found(picture: Image.Image, signer: Signatory, tmp_path: Path) -> None:
    file = save_with_exif(tmp_path / "edited.jpg", picture, cut=False)
    file = signed(file, tmp_path / "signed.jpg", "image/jpeg", signer, created("digitalCapture"))
    assert set(find_states(file).values()) == {"found"}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "heic", "avif", "tif", "gif"])
def test_nothing_is_found_in_a_picture_without_metadata(bare: dict[str, Path], suffix: str) -> None:
    assert set(find_states(bare[suffix]).values()) == {"not-found"}


def test_metadata_may_name_no_tool(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "own.jpg", exif=Image.Exif())
    file = png(tmp_path / "own.png", picture, Software="A program of my own")
    assert find_states(file) == {"content-credentials": "not-found", "metadata": "found", "tools": "not-found"}
    assert find_states(tmp_path / "own.jpg")["metadata"] == "not-found"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_could_not_be_checked(picture: Image.Image, tmp_path: Path) -> None:
    file = save_with_exif(tmp_path / "broken.jpg", picture, cut=True)
    assert find_states(file) == {"content-credentials": "not-found", "metadata": "could-not-check", "tools": "could-not-check"}
    result = read_provenance(file)
    assert "EXIF" in result.checks[1].reason
    assert "not all places" in result.sentence


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_what_is_readable_of_broken_metadata_is_found(picture: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0131] = "GIMP 3"
    picture.save(tmp_path / "half.jpg", exif=exif.tobytes()[:14], comment=b"Made with Adobe Firefly")
    result = read_provenance(tmp_path / "half.jpg")
    assert [check.state for check in result.checks[1:]] == ["found", "found"]
    assert "EXIF" in result.checks[1].reason


def test_a_format_whose_credentials_are_not_read_could_not_be_checked(picture: Image.Image, tmp_path: Path) -> None:
    picture.save(tmp_path / "old.bmp")
    assert find_states(tmp_path / "old.bmp") == {"content-credentials": "could-not-check", "metadata": "not-found", "tools": "not-found"}


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_the_structure_of_a_cut_video_could_not_be_checked(bare: dict[str, Path], tmp_path: Path, suffix: str) -> None:
    (tmp_path / "cut").write_bytes(bare[suffix].read_bytes()[:3000])
    assert find_states(tmp_path / "cut")["metadata"] == "could-not-check"
    assert find_states(tagged(bare[suffix], tmp_path / f"named.{suffix}", "artist=Made with Sora"))["tools"] == "found"


def test_the_xmp_of_a_video_is_read(bare: dict[str, Path], tmp_path: Path) -> None:
    packet = XMP.format('xmp:CreatorTool="Adobe Premiere Pro 2025"', "").encode()
    box = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + packet
    (tmp_path / "edited.mp4").write_bytes(bare["mp4"].read_bytes() + (len(box) + 8).to_bytes(4) + b"uuid" + box)
    assert "Adobe Premiere" in {trace.tool for trace in read_provenance(tmp_path / "edited.mp4").traces}
