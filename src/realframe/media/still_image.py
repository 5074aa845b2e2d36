"""Open still images with Pillow within limits, only as the format that their first bytes show, and convert them to plain modes.

Of a file with several pictures, the one that a viewer shows first is opened: the full picture of a TIFF whose first one is a preview
(``tiff_directories.py``), the first picture of a multi-picture JPEG, an animation or a document. A picture of high dynamic range (HDR) is
refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pillow_heif
from PIL import Image

from realframe.errors import UndecodableError
from realframe.media.limits import check_pixels, contain_failures, is_machine_error
from realframe.media.png_chunks import has_long_text, read_transfer, shorten_texts
from realframe.media.signature import PILLOW_FORMATS
from realframe.media.tiff_directories import MainPicture, find_main_picture

pillow_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # limits.max_pixels is checked before any pixel is decoded, and can be raised beyond Pillow's own limit

HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""The transfer characteristics of high dynamic range in ITU-T H.273."""
_ORIENTATION = 0x0112
_ROTATIONS = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
_HEAD_BYTES = 1 << 16
_CICP_TYPE = b"cicp\0\0\0\0"  # of a tag of an ICC profile, version 4.4
_PLAIN_MODES = ("L", "RGB", "CMYK")


@contextmanager
def open_image(source: Path | BinaryIO, container: str, max_pixels: int, subject: object) -> Iterator[Image.Image]:
    """Open the picture of an image file that a viewer shows first; when the block begins, only headers have been read.

    Args:
        source: a path, or a stream of the content.
        container: a key of ``signature.PILLOW_FORMATS``.
        max_pixels: largest allowed width x height.
        subject: the name of the image in errors.

    Raises:
        LimitExceededError: the image has more pixels.
        UndecodableError: it is a camera's raw data or of high dynamic range, or it is cut short or damaged, also if this appears only
            while the block decodes it.
        DecoderCrashError: a library fails at it in another way, also within the block.
    """
    with contain_failures(subject):
        main = find_main_picture(source, subject) if container == "tiff" else MainPicture(0, 0)
    with open_first(main.select(source), container, subject) as image:
        check_pixels(subject, image.width, image.height, max_pixels)
        _refuse_hdr(source, container, image, subject)
        if main.orientation:
            image.getexif()[_ORIENTATION] = main.orientation
        yield image


@contextmanager
def open_first(source: Path | BinaryIO, container: str, subject: object) -> Iterator[Image.Image]:
    """Open the first picture of an image file, whatever it is and however large, to read its headers. Raises as ``open_image``."""
    with contain_failures(subject):
        try:
            with _open(source, container) as image:
                yield image
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            if is_machine_error(error):
                raise
            reason = f"is cut short or damaged, or of a kind that is not supported: {error}"
            raise UndecodableError(subject, reason, "Check that it opens; copy it again, or export it as JPEG or PNG.") from error


def _open(source: Path | BinaryIO, container: str) -> Image.Image:
    if container == "png":
        with _reading(source) as stream:
            if has_long_text(stream):
                source = BytesIO(shorten_texts(_rewind(stream).read()))
    return Image.open(source, formats=PILLOW_FORMATS[container])


def _rewind(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return stream


def count_pictures(source: Path, container: str, image: Image.Image) -> int:
    """Return how many pictures of a file a viewer shows, one after the other or by turning pages.

    The other pictures of a multi-picture JPEG or HEIF are previews, gain maps or other exposures, which viewers do not show.
    """
    if container == "tiff":
        return find_main_picture(source, source).page_count
    if container not in ("png", "webp", "avif"):
        return 1
    return int(getattr(image, "n_frames", 1)) - bool(getattr(image, "default_image", False))


def seek_first_shown(image: Image.Image) -> None:
    """Skip the picture of an animated PNG that only programs without animation show."""
    if getattr(image, "default_image", False) and getattr(image, "n_frames", 1) > 1:
        image.seek(1)


def _refuse_hdr(source: Path | BinaryIO, container: str, image: Image.Image, subject: object) -> None:
    """Raise UndecodableError if the numbers of an image are not colors of an ordinary screen but of high dynamic range."""
    if transfer := HDR_TRANSFERS.get(_find_transfer(source, container, image)):
        reason = f"is a picture of high dynamic range ({transfer}), and converting it to ordinary colors is not supported"
        raise UndecodableError(subject, reason, "Export it without HDR (SDR, sRGB), as JPEG or PNG.")


def _find_transfer(source: Path | BinaryIO, container: str, image: Image.Image) -> int:
    """Return the transfer characteristics (ITU-T H.273) that an image states; 0 where it states none."""
    if container == "heif":
        return int((image.info.get("nclx_profile") or {}).get("transfer_characteristics", 0))
    if container == "png":
        with _reading(source) as stream:
            return read_transfer(stream)
    if container == "avif":
        with _reading(source) as stream:
            head = stream.read(_HEAD_BYTES)
        stated = {int.from_bytes(part[2:4]) for part in head.split(b"colrnclx")[1:]}
        return _read_primary_transfer(source) if stated & set(HDR_TRANSFERS) else 0  # it may be that of a gain map
    profile = image.info.get("icc_profile") or b""
    _, found, values = profile.partition(_CICP_TYPE)
    return values[1] if found and len(values) > 1 else 0


def _read_primary_transfer(source: Path | BinaryIO) -> int:
    """Return the transfer characteristics of the primary picture of an AVIF."""
    with _reading(source) as stream, av.open(stream, format="mov") as opened:
        return int(opened.streams.video[0].codec_context.color_trc)


@contextmanager
def _reading(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Yield a stream of a file's content, at its start; Pillow may go on reading a stream that was given."""
    if isinstance(source, Path):
        with source.open("rb") as stream:
            yield stream
    else:
        position = source.tell()
        yield _rewind(source)
        source.seek(position)


def exif_rotation(image: Image.Image) -> int:
    """Return the rotation to upright that EXIF states, degrees clockwise: 0, 90, 180 or 270; mirroring is ignored."""
    return _ROTATIONS.get(image.getexif().get(_ORIENTATION, 1), 0)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return the width and height of an opened image as a viewer shows it, pixels."""
    is_upright = _ORIENTATION in getattr(image, "tag_v2", {})  # Pillow applies the orientation in a TIFF's directory itself
    width, height = image.size
    return (height, width) if exif_rotation(image) % 180 and not is_upright else (width, height)


def flatten_image(image: Image.Image) -> Image.Image:
    """Return ``image`` in mode ``L``, ``RGB`` or ``CMYK`` with 8 bits per channel: palettes resolved, transparency on white.

    Raises:
        ValueError: its mode cannot be converted to colors, such as floating point.
    """
    if image.mode in _PLAIN_MODES and "transparency" not in image.info:
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
