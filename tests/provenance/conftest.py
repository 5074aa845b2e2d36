"""Files of all sorts, and somebody who signs."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from realframe.media.ffmpeg import ffmpeg_executable
from tests.provenance.signed_media import Signatory, signatory


@pytest.fixture(scope="session")
def signer() -> Signatory:
    return signatory()


@pytest.fixture(scope="session")
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))


@pytest.fixture(scope="session")
def bare(picture: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each container that can be signed, without any credentials."""
    register_heif_opener()
    folder = tmp_path_factory.mktemp("bare")
    files = {suffix: folder / f"bare.{suffix}" for suffix in ("jpg", "png", "webp", "heic", "avif", "tif", "gif", "mp4", "mov", "avi")}
    for suffix, path in files.items():
        if suffix in ("mp4", "mov", "avi"):
            source = ["-f", "lavfi", "-i", "testsrc2=size=128x96:rate=10", "-t", "1", "-pix_fmt", "yuv420p", "-map_metadata", "-1"]
            subprocess.run(
                [ffmpeg_executable(), "-v", "error", *source, "-fflags", "+bitexact", "-flags:v", "+bitexact", str(path)], check=True
            )
        else:
            picture.save(path)
    return files
