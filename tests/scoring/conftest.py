"""Fixtures of the scoring tests: a registry with small models, and a folder with good, broken and empty files."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from realframe.media.ffmpeg import ffmpeg_executable
from tests.state_fixtures import embedded_uri, settings, store, three_versions

__all__ = ["embedded_uri", "settings", "store", "three_versions"]
GOOD = ("clip.mp4", "real/one.png", "real/two.png")
BAD = {"blank.png": "media.no-usable-frame", "cut.mp4": "media.undecodable", "empty.mp4": "media.empty", "page.mp4": "media.not-media"}


def write_photo(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).normal(128, 40, (48, 64, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, "PNG")


@pytest.fixture(scope="session")
def _media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    source = ["-f", "lavfi", "-i", "mandelbrot=size=96x64:rate=8", "-t", "3", "-pix_fmt", "yuv420p"]
    subprocess.run([ffmpeg_executable(), "-v", "error", *source, str(folder / "clip.mp4")], check=True)
    write_photo(folder / "real" / "one.png", 1)
    write_photo(folder / "real" / "two.png", 2)
    (folder / "cut.mp4").write_bytes((folder / "clip.mp4").read_bytes()[:9000])
    (folder / "empty.mp4").touch()
    (folder / "page.mp4").write_text("<!doctype html><title>no film</title>")
    Image.new("RGB", (64, 48), "grey").save(folder / "blank.png")
    (folder / "notes.txt").write_text("not media")
    (folder / ".hidden.png").write_bytes((folder / "real" / "one.png").read_bytes())
    return folder


@pytest.fixture
def media(_media: Path, tmp_path: Path) -> Path:
    """A copy of the folder that the test may change."""
    target = tmp_path / "media"
    for file in (file for file in _media.rglob("*") if file.is_file()):
        (target / file.relative_to(_media)).parent.mkdir(parents=True, exist_ok=True)
        (target / file.relative_to(_media)).write_bytes(file.read_bytes())
    return target
