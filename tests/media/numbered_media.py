"""Render videos whose frames show their own number with FFmpeg, and read the number back."""

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from realframe.config import ExtractParams, Limits, Sampling
from realframe.media.extract import extract_frames
from realframe.media.ffmpeg import ffmpeg_executable
from realframe.media.probe import probe_media

FRAMES, FPS, WIDTH, HEIGHT, BLOCK = 60, 24, 256, 128, 64
ENCODERS = {
    "h264": ["libx264", "-bf", "3", "-g", "30"],
    "hevc": ["libx265", "-x265-params", "log-level=error"],
    "vp9": ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-auto-alt-ref", "1", "-lag-in-frames", "10"],
    "av1": ["libsvtav1", "-preset", "12"],
    "mpeg4": ["mpeg4", "-q:v", "3", "-bf", "2"],
    "mjpeg": ["mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"],
    "gif": ["gif"],
}


MakeVideo = Callable[..., Path]


@dataclass(frozen=True)
class VariableRate:
    """A variable frame rate with a pause after every fifth frame: its ``setpts`` and the time of each frame in seconds."""

    setpts: str = f"(N+floor(N/5)*9)/{FPS}/TB"

    @property
    def times(self) -> list[float]:
        return [(number + number // 5 * 9) / FPS for number in range(FRAMES)]


def numbered_frame(number: int) -> np.ndarray:
    """Return a frame of 4 x 2 blocks, each white if its bit of ``number`` is set, with a little texture."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(8):
        row, column = divmod(bit, 4)
        value = 225 if number >> bit & 1 else 30
        frame[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = value
    frame[::4, ::4] = 128
    return frame


def read_number(frame: np.ndarray) -> int:
    """Read the number back from the middle of each block."""
    middles = [(row * BLOCK + BLOCK // 2, column * BLOCK + BLOCK // 2) for row in range(2) for column in range(4)]
    return sum(1 << bit for bit, (y, x) in enumerate(middles) if frame[y - 8 : y + 8, x - 8 : x + 8].mean() > 128)


def run_ffmpeg_command(*arguments: str, data: bytes | None = None) -> None:
    subprocess.run([ffmpeg_executable(), "-v", "error", "-y", *arguments], input=data, check=True, capture_output=True)


def can_encode(codec: str) -> bool:
    listed = subprocess.run([ffmpeg_executable(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=True).stdout
    return f" {ENCODERS[codec][0]} " in listed


def write_numbered(path: Path, codec: str, *, setpts: str = "PTS", options: tuple[str, ...] = ()) -> None:
    raw = b"".join(numbered_frame(number).tobytes() for number in range(FRAMES))
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-"]
    pixels = [] if codec in ("gif", "mjpeg") else ["-pix_fmt", "yuv420p"]
    shape = ["-vf", f"setpts={setpts}", "-fps_mode", "passthrough"]
    run_ffmpeg_command(*source, *shape, *pixels, "-c:v", *ENCODERS[codec], *options, str(path), data=raw)


def extract_params(max_frames: int = 256, encoding: str = "png", **sampling: float) -> ExtractParams:
    return ExtractParams(sampling=Sampling(**sampling), max_frames=max_frames, encoding=encoding)


def extract_and_read(source: Path, params: ExtractParams, limits: Limits, target: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """The frames and the facts of the shard that ``source`` gives."""
    extract_frames(source, "0" * 64, probe_media(source, limits), params, limits, target)
    with tarfile.open(target) as tar:
        names = [name for name in tar.getnames() if name != "shard.json"]
        facts = json.loads(tar.extractfile("shard.json").read())
        return [np.asarray(Image.open(io.BytesIO(tar.extractfile(name).read()))) for name in names], facts


def make_texture(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """A picture with detail at several scales, unlike for unlike seeds."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 8, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    fine = random.integers(-20, 20, (height, width, 3))
    return Image.fromarray((np.asarray(coarse) + fine).clip(0, 255).astype(np.uint8))
