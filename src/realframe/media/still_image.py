"""Open still images with Pillow within limits, only as the format that their first bytes show, and convert them to plain modes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import Image

from realframe.errors import LimitExceededError, UndecodableError
from realframe.media.limits import check_pixels, contain_failures, is_machine_error
from realframe.media.signature import PILLOW_FORMATS

pillow_heif.register_heif_opener()

_ORIENTATION = 0x0112
_ROTATIONS = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}


@contextmanager
def open_image(source: Path | BinaryIO, container: str, max_pixels: int, subject: object) -> Iterator[Image.Image]:
    """Open an image; when the block begins, only its header has been read.

    Args:
        source: a path, or a stream of the content.
        container: a key of ``signature.PILLOW_FORMATS``.
        max_pixels: largest allowed width x height.
        subject: the name of the image in errors.

    Raises:
        LimitExceededError: the image has more pixels.
        UndecodableError: it is cut short or damaged, also if this appears only while the block decodes it.
        DecoderCrashError: a library fails at it in another way, also within the block.
    """
    with contain_failures(subject):
        try:
            with Image.open(source, formats=PILLOW_FORMATS[container]) as image:
                check_pixels(subject, image.width, image.height, max_pixels)
                yield image
        except Image.DecompressionBombError as error:  # Pillow's own limit, far above the default of limits.max_pixels
            raise LimitExceededError(subject, f"is too large: {error}", "Scale it down, or raise limits.max_pixels.") from error
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            if is_machine_error(error):
                raise
            raise UndecodableError(subject, f"is cut short or damaged: {error}", "Check that it opens; copy or export it again.") from error


def exif_rotation(image: Image.Image) -> int:
    """Return the rotation to upright that EXIF states, degrees clockwise: 0, 90, 180 or 270; mirroring is ignored."""
    return _ROTATIONS.get(image.getexif().get(_ORIENTATION, 1), 0)


def flatten_image(image: Image.Image) -> Image.Image:
    """Return ``image`` in mode ``L``, ``RGB`` or ``CMYK`` with 8 bits per channel: palettes resolved, transparency on white.

    Raises:
        ValueError: its mode cannot be converted to colors, such as floating point.
    """
    if image.mode in ("L", "RGB", "CMYK") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16 bits of gray; Pillow's own conversion would clip them at 255
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise ValueError(f"its pixel mode {image.mode} is not supported")
    if not image.has_transparency_data:
        return image.convert("RGB")
    foreground = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", foreground.size, "white"), foreground).convert("RGB")
