"""Files to hand in: clips of a known brightness, a picture, and what only claims to be media."""

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from realframe.media.ffmpeg import executable


@dataclass(frozen=True)
class Files:
    """What is handed in.

    Attributes:
        bright: a clip that the tests' detector takes for AI-generated.
        dark: one that it takes for real.
        wave: one that becomes dark and bright in turn, with a name that is HTML.
        photo: a picture.
        broken: a clip that ends in the middle.
        empty: 0 bytes.
        page: HTML that is called ``.mp4``.
        unplayable: a clip that no browser plays.
    """

    bright: Path
    dark: Path
    wave: Path
    photo: Path
    broken: Path
    empty: Path
    page: Path
    unplayable: Path


def write(folder: Path) -> Files:
    """Make the files."""
    names = ("bright.mp4", "dark.mp4", "<b>wave & co.mp4", "photo.png", "broken.mp4", "empty.mp4", "page.mp4", "old.avi")
    files = Files(*(folder / name for name in names))
    _clip(files.bright, "0.4")
    _clip(files.dark, "-0.4")
    _clip(files.wave, "'0.45*sin(2*t)'", seconds=8)
    _clip(files.unplayable, "0.4", "-c:v", "mpeg4")
    Image.effect_noise((96, 96), 60).convert("RGB").save(files.photo)
    files.broken.write_bytes(files.bright.read_bytes()[:4000])
    files.empty.touch()
    files.page.write_text("<!doctype html><title>no film</title><script>alert(1)</script>")
    return files


def field_clips(folder: Path) -> dict[str, Path]:
    """Return a small clip of each class out of the field data."""
    with (folder / "MANIFEST.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "video" and int(row["bytes"]) > 50_000]
    rows.sort(key=lambda row: int(row["bytes"]))
    return {label: folder / next(row["path"] for row in rows if row["label"] == label) for label in ("real", "fake")}


def _clip(target: Path, brightness: str, *codec: str, seconds: int = 4) -> None:
    picture = f"testsrc2=size=160x120:rate=8:duration={seconds},eq=brightness={brightness}:eval=frame"
    command = [executable(), "-v", "error", "-f", "lavfi", "-i", picture, "-pix_fmt", "yuv420p", *codec, "-movflags", "+faststart"]
    subprocess.run([*command, str(target)], check=True)
