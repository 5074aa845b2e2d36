"""Writing rendered frames as the files that people have: H.264 in MP4, and JPEG. Both classes go through here with the same settings."""

from collections.abc import Iterable
from pathlib import Path

import ffmpeg
import numpy as np
from PIL import Image

from bonafide.demo.layers import HEIGHT, WIDTH
from bonafide.errors import SetupError
from bonafide.files import atomic_path
from bonafide.media.ffmpeg import executable

FPS = 8
SECONDS = 4
_CRF = 20  # x264's quality: 23 is its default, 18 looks lossless
_JPEG_QUALITY = 90


def write_clip(pictures: Iterable[np.ndarray], target: Path) -> None:
    """Write pictures, float32 (HEIGHT, WIDTH, 3), 0 to 1, as a clip of ``FPS``. Raises SetupError where FFmpeg can't write H.264."""
    raw = b"".join(_quantised(picture).tobytes() for picture in pictures)
    with atomic_path(target) as temporary:
        source = ffmpeg.input("pipe:", format="rawvideo", pix_fmt="rgb24", video_size=(WIDTH, HEIGHT), framerate=FPS)
        # one thread, so that the same frames give the same bytes; the processes beside this one fill the other cores
        clip = source.output(
            f"file:{temporary}", vcodec="libx264", preset="veryfast", crf=_CRF, pix_fmt="yuv420p", threads=1, loglevel="error"
        )
        try:
            clip.run(cmd=executable(), input=raw, quiet=True)
        except ffmpeg.Error as error:
            cause = error.stderr.decode(errors="replace").partition("\n")[0]
            raise SetupError(
                executable(), f"can't write H.264: {cause}", "Install an FFmpeg with libx264, or take it off the PATH."
            ) from error


def write_image(picture: np.ndarray, target: Path) -> None:
    """Write a picture, float32 (HEIGHT, WIDTH, 3), 0 to 1, as a JPEG."""
    with atomic_path(target) as temporary:
        Image.fromarray(_quantised(picture)).save(temporary, quality=_JPEG_QUALITY)


def _quantised(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)
