"""Test content credentials, signed by real certificates into real files."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from realframe.errors import SetupError
from realframe.media.signature import DEMUXERS, MEDIA_TYPES, PILLOW_FORMATS
from realframe.provenance import content_credentials
from realframe.provenance.origin import Credentials, Provenance
from realframe.provenance.origin_reader import read_provenance
from realframe.settings import get_settings
from tests.provenance.signed_media import OPENED, Signatory, created, signatory, signed

AI, CAMERA = created("trainedAlgorithmicMedia"), created("digitalCapture")
SUFFIXES = {"jpg": "jpeg", "heic": "heif", "tif": "tiff"} | {name: name for name in ("png", "webp", "avif", "gif", "mp4", "mov", "avi")}
MIMES = {suffix: MEDIA_TYPES[container] for suffix, container in SUFFIXES.items()}
RETOUCHED = [*CAMERA, {"action": "c2pa.edited", "digitalSourceType": AI[0]["digitalSourceType"]}]


@pytest.fixture(autouse=True)
def _settings_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("REALFRAME_TRUST_LIST", raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def trust(certificates: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "trusted.pem").write_text(certificates)
    monkeypatch.setenv("REALFRAME_TRUST_LIST", str(folder / "trusted.pem"))
    get_settings.cache_clear()


@pytest.mark.parametrize("suffix", MIMES)
def test_credentials_are_read_from_every_container(bare: dict[str, Path], signer: Signatory, tmp_path: Path, suffix: str) -> None:
    file = signed(bare[suffix], tmp_path / f"signed.{suffix}", MIMES[suffix], signer, AI)
    assert read_provenance(file).credentials == Credentials("valid", "ai-generated", "Probe Pictures Ltd.", "Brush 2.0", "", ())
    assert read_provenance(bare[suffix]).credentials is None


def test_every_container_has_one_media_type(root: Path) -> None:
    assert set(SUFFIXES.values()) == content_credentials.CONTAINERS <= set(MEDIA_TYPES)
    assert {*DEMUXERS, *PILLOW_FORMATS} == set(MEDIA_TYPES)
    tables = [path for path in (root / "src").rglob("*.py") if '"video/' in path.read_text()]
    assert [path.name for path in tables] == ["signature.py"], "there is one table of media types"


def test_the_file_name_is_ignored(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    assert read_provenance(signed(bare["jpg"], tmp_path / "-holiday.txt", "image/jpeg", signer, CAMERA)).credentials is not None


@pytest.mark.parametrize(
    ("actions", "origin", "sentence_part"),
    [
        (AI, "ai-generated", "was made by AI"),
        (created("compositeWithTrainedAlgorithmicMedia"), "ai-generated", "in part by AI"),
        (CAMERA, "camera", "was taken by a camera"),
        ([*CAMERA, {"action": "c2pa.color_adjustments"}], "edited", "taken by a camera and edited"),
        (RETOUCHED, "ai-generated", "was made by AI"),
        (created("screenCapture"), "unknown", "recorded from a screen"),
        (created("noSuchType"), "unknown", "do not state how it was made"),
    ],
)
def test_the_origin_follows_from_the_actions(
    bare: dict[str, Path], signer: Signatory, tmp_path: Path, actions: list[dict[str, str]], origin: str, sentence_part: str
) -> None:
    result = read_provenance(signed(bare["jpg"], tmp_path / "signed.jpg", "image/jpeg", signer, actions))
    assert result.credentials is not None
    assert result.credentials.origin == origin
    assert sentence_part in result.sentence


def test_an_edit_does_not_hide_that_the_original_was_made_by_ai(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    original = signed(bare["jpg"], tmp_path / "original.jpg", "image/jpeg", signer, AI)
    edited = signed(original, tmp_path / "edited.jpg", "image/jpeg", signer, [OPENED, {"action": "c2pa.cropped"}], parent=original)
    result = read_provenance(edited).credentials
    assert result is not None
    assert (result.state, result.origin) == ("valid", "ai-generated")


@pytest.mark.parametrize("suffix", ["jpg", "png", "mp4"])
def test_a_changed_file_is_invalid(bare: dict[str, Path], signer: Signatory, tmp_path: Path, suffix: str) -> None:
    data = bytearray(signed(bare[suffix], tmp_path / "signed", MIMES[suffix], signer, CAMERA).read_bytes())
    place = data.rindex(b"mdat") + 300 if suffix == "mp4" else len(data) - 60
    data[place] ^= 0xFF
    (tmp_path / "changed").write_bytes(data)
    result = read_provenance(tmp_path / "changed")
    assert result.credentials is not None
    assert result.credentials.state == "invalid"
    assert result.credentials.problems == ("The file was changed after it was signed.",)
    assert "do not count" in result.sentence


def test_only_those_on_the_trust_list_are_trusted(
    bare: dict[str, Path], signer: Signatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(signer.root, tmp_path, monkeypatch)
    known = read_provenance(signed(bare["jpg"], tmp_path / "known.jpg", "image/jpeg", signer, AI))
    impostor = read_provenance(signed(bare["jpg"], tmp_path / "impostor.jpg", "image/jpeg", signatory(), AI))
    assert known.credentials is not None
    assert impostor.credentials is not None
    assert (known.credentials.state, impostor.credentials.state) == ("trusted", "valid")
    assert known.credentials.signed_by == impostor.credentials.signed_by
    assert "is on the trust list" in known.sentence
    assert "anyone could have signed with this name" in impostor.sentence


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_unusable_trust_list_is_a_setup_error(
    bare: dict[str, Path], signer: Signatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    trust(content or "", tmp_path, monkeypatch)
    if content is None:
        (tmp_path / "trusted.pem").unlink()
    file = signed(bare["jpg"], tmp_path / "signed.jpg", "image/jpeg", signer, AI)
    with pytest.raises(SetupError, match="REALFRAME_TRUST_LIST"):
        read_provenance(file)


def test_a_damaged_manifest_is_neither_invalid_nor_missing(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    data = bytearray(signed(bare["png"], tmp_path / "signed.png", "image/png", signer, AI).read_bytes())
    place = data.index(b"jumdc2pa")
    data[place + 40 : place + 400] = bytes(360)
    (tmp_path / "damaged.png").write_bytes(data)
    result = read_provenance(tmp_path / "damaged.png")
    assert result.credentials is None
    assert result.checks[0].state == "could-not-check"
    assert "damaged" in result.checks[0].reason
    assert "not all places" in result.sentence


def test_a_file_with_only_the_marker_could_not_be_checked(bare: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "pretends.jpg").write_bytes(bare["jpg"].read_bytes() + b"jumdc2pa")
    result = read_provenance(tmp_path / "pretends.jpg")
    assert (result.credentials, result.checks[0].state) == (None, "could-not-check")


def test_nothing_is_fetched(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    requested_paths: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested_paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/store.c2pa"
        file = signed(bare["jpg"], tmp_path / "far.jpg", "image/jpeg", signer, AI, remote=address)
        result = read_provenance(file)
        server.shutdown()
    assert (result.credentials, result.checks[0].state) == (None, "could-not-check")
    assert "no server is asked" in result.checks[0].reason
    assert requested_paths == []


def test_reading_stops_at_the_limits_and_prints_nothing(
    bare: dict[str, Path], signer: Signatory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    file = signed(bare["jpg"], tmp_path / "signed.jpg", "image/jpeg", signer, AI)
    file.write_bytes(file.read_bytes() + bytes(100_000_000))
    monkeypatch.setattr(content_credentials, "_MEMORY_MB", 120)
    result = read_provenance(file)
    assert (result.credentials, result.checks[0].state) == (None, "could-not-check")
    assert "too large to be read" in result.checks[0].reason
    assert capfd.readouterr() == ("", "")


def test_credentials_and_metadata_that_disagree_are_both_described(bare: dict[str, Path], signer: Signatory, tmp_path: Path) -> None:
    from PIL import Image, PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7")
    with Image.open(bare["png"]) as image:
        image.save(tmp_path / "cat.png", pnginfo=texts)
    result: Provenance = read_provenance(signed(tmp_path / "cat.png", tmp_path / "signed.png", "image/png", signer, CAMERA))
    assert "state that it was taken by a camera" in result.sentence
    assert "Stable Diffusion web UI" in result.sentence
