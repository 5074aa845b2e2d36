"""Opening still images with Pillow, within the limits: only as the format that the first bytes claim; a decompression bomb is an error."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import Image

from realframe.errors import OverLimitError, UndecodableError
from realframe.media.signature import PILLOW_FORMATS

pillow_heif.register_heif_opener()

_ORIENTATION = 0x0112
_TURNS = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}


@contextmanager
def opened(source: Path | BinaryIO, container: str, max_pixels: int, name: object) -> Iterator[Image.Image]:
    """Open the image ``source``, of which only the header has been read when it is handed over.

    Args:
        source: a path, or a stream of the bytes.
        container: of ``signature.PILLOW_FORMATS``.
        max_pixels: the most that width x height may be.
        name: what an error calls it.

    Raises:
        OverLimitError: the picture is larger.
        UndecodableError: it is cut short or damaged; also where that shows only while the block decodes it.
    """
    smaller = "Scale it down, or raise limits.max_pixels."
    try:
        with Image.open(source, formats=PILLOW_FORMATS[container]) as image:
            if image.width * image.height > max_pixels:
                raise OverLimitError(name, f"is {image.width}x{image.height}, more than {max_pixels:,} pixels", smaller)
            yield image
    except Image.DecompressionBombError as error:  # Pillow's own limit, far above the default of ours
        raise OverLimitError(name, f"is too large: {error}", smaller) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise UndecodableError(name, f"is cut short or damaged: {error}", "Check that it opens; copy or export it again.") from error


def rotation_of(image: Image.Image) -> int:
    """Return by how many degrees clockwise (0, 90, 180, 270) EXIF wants the stored picture turned, mirroring apart."""
    return _TURNS.get(image.getexif().get(_ORIENTATION, 1), 0)


def flattened(image: Image.Image) -> Image.Image:
    """Return ``image`` in mode ``L``, ``RGB`` or ``CMYK`` with 8 bits per channel: palettes resolved, transparency laid on white.

    Raises:
        ValueError: its mode has no plain meaning as colour, such as floating point.
    """
    if image.mode in ("L", "RGB", "CMYK") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion would clip them at 255
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if image.mode not in ("L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "YCbCr"):
        raise ValueError(f"its pixels are of the kind {image.mode}, which is not taken")
    if not image.has_transparency_data:
        return image.convert("RGB")
    above = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", above.size, "white"), above).convert("RGB")
