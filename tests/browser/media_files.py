"""Create the files to upload: clips of a known brightness, a picture, and files that are not valid media."""

import csv
import subprocess
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from realframe.media.ffmpeg import ffmpeg_executable


@dataclass(frozen=True)
class UploadFiles:
    """The files to upload.

    Attributes:
        bright: a clip that the tests' detector calls AI-generated.
        dark: a clip that it calls real.
        wave: a clip that alternates between dark and bright, with HTML in its name.
        photo: a picture.
        broken: a truncated clip.
        empty: 0 bytes.
        page: an HTML file with the extension ``.mp4``.
        unplayable: a clip that browsers cannot play.
    """

    bright: Path
    dark: Path
    wave: Path
    photo: Path
    broken: Path
    empty: Path
    page: Path
    unplayable: Path


def write_files(folder: Path) -> UploadFiles:
    """Write the files into a folder."""
    names = ("bright.mp4", "dark.mp4", "<b>wave & co.mp4", "photo.png", "broken.mp4", "empty.mp4", "page.mp4", "old.avi")
    files = UploadFiles(*(folder / name for name in names))
    _write_clip(files.bright, "0.4")
    _write_clip(files.dark, "-0.4")
    _write_clip(files.wave, "'0.45*sin(2*t)'", seconds=8)
    _write_clip(files.unplayable, "0.4", "-c:v", "mpeg4")
    Image.effect_noise((96, 96), 60).convert("RGB").save(files.photo)
    files.broken.write_bytes(files.bright.read_bytes()[:4000])
    files.empty.touch()
    files.page.write_text("<!doctype html><title>not a video</title><script>alert(1)</script>")
    return files


def field_clips(folder: Path) -> dict[str, Path]:
    """Return a small clip of each class from the field data."""
    with (folder / "MANIFEST.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "video" and int(row["bytes"]) > 50_000]
    rows.sort(key=lambda row: int(row["bytes"]))
    return {label: folder / next(row["path"] for row in rows if row["label"] == label) for label in ("real", "fake")}


def _write_clip(target: Path, brightness: str, *codec: str, seconds: int = 4) -> None:
    source = f"testsrc2=size=160x120:rate=8:duration={seconds},eq=brightness={brightness}:eval=frame"
    command = [ffmpeg_executable(), "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", *codec, "-movflags", "+faststart"]
    subprocess.run([*command, str(target)], check=True)
