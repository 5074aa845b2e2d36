"""Decode a still image and measure how much of its picture is damaged.

Decoders hide damage: libjpeg only warns of missing or wrong data and fills the rest with gray, and Pillow does not pass its warnings on. So
JPEG is decoded by ``simplejpeg``, which gives the same pixels and reports the warnings; PNG is checked against its own checksums. The
decoders of the other formats fail by themselves at missing data, but not at the zeros that an interrupted download leaves. Damage that
leaves a valid stream, such as a changed bit in a format without checksums, cannot be seen.

An image of which less than ``MAX_DAMAGED_SHARE`` is damaged is used; more, or an unknown share, is refused.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from realframe.media.limits import MAX_DAMAGED_SHARE, check_damage, contain_failures
from realframe.media.png_chunks import repair_png
from realframe.media.still_image import open_image, seek_first_shown

_EOI = b"\xff\xd9"
_EXTRA_BYTES = re.compile(r"(\d+) extraneous bytes before marker 0xd9")  # libjpeg's warning
_MARKER_IN_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # ff00 is a data byte, ffd0 to ffd7 restart the decoder
_SOS, _SOF_PROGRESSIVE = 0xDA, 0xC2
_COLOR_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
_FILLER_BYTES = 4096
_MAX_LOST_BYTES = 64  # that end with the last blocks of a picture without a visible change of them
_MCU = 16  # pixels; the largest side of the blocks in which common encoders store a picture

_ZERO_TAIL = 64  # bytes; compressed data have no such run of zeros


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image.

    Attributes:
        image: with its pixels loaded, as stored: not upright yet, any mode; its ``info`` has the ICC profile and EXIF.
        damaged_share: share of its pixels that are damaged; 0 where only the end of the file is missing, after the last pixel; None where
            no damage is found.
    """

    image: Image.Image
    damaged_share: float | None


@contextmanager
def decode_image(source: Path | BinaryIO, container: str, max_pixels: int, subject: object) -> Iterator[DecodedImage]:
    """Open and decode an image. Arguments as ``open_image``.

    Raises:
        LimitExceededError: the image has more pixels.
        UndecodableError: ``MAX_DAMAGED_SHARE`` of it or more is damaged, or an unknown share.
        DecoderCrashError: a library fails at it in another way.
    """
    share: float | None = None
    with contain_failures(subject):
        if container == "png":
            data, share = repair_png(_read(source), max_pixels)
            source = BytesIO(data)
        elif container == "bmp":
            data, share = _repair_bmp(_read(source))
            source = BytesIO(data)
        elif container in ("webp", "heif", "avif") and _ends_in_zeros(_read(source), container):
            share = 1.0
        with open_image(source, container, max_pixels, subject) as image:
            if image.format in ("JPEG", "MPO"):
                image, share = _decode_jpeg(_read(source), image)
            seek_first_shown(image)
            image.load()
            check_damage(share, "pixels", subject)
            yield DecodedImage(image, share)


def _read(source: Path | BinaryIO) -> bytes:
    if isinstance(source, Path):
        return source.read_bytes()
    source.seek(0)
    return source.read()


def _decode_jpeg(data: bytes, image: Image.Image) -> tuple[Image.Image, float | None]:
    """Return a JPEG with its pixels, and the damaged share: 1 where it is unknown."""
    colors = _COLOR_SPACES[image.mode]
    scans = _JpegScans.read(data)
    pixels, warning = _decode_pixels(data, colors)
    share = None if scans.is_complete else 1.0
    if warning and scans.is_complete:
        pixels, share = _measure_jpeg_damage(data[: scans.end], pixels, colors)
    if image.mode == "CMYK":  # Pillow knows which programs store it inverted
        return (image if share is None else Image.open(BytesIO(data[: scans.end] + _EOI), formats=["JPEG"])), share
    decoded = Image.fromarray(pixels[..., 0] if image.mode == "L" else pixels)
    decoded.info = image.info
    return decoded, share


def _decode_pixels(data: bytes, colors: str) -> tuple[NDArray[np.uint8], str]:
    """Return the pixels of a JPEG, and libjpeg's last warning; empty where it gave none."""
    try:
        return simplejpeg.decode_jpeg(data, colors, strict=True), ""
    except ValueError as error:
        return simplejpeg.decode_jpeg(data, colors, strict=False), str(error) or "warning"


def _measure_jpeg_damage(body: bytes, pixels: NDArray[np.uint8], colors: str) -> tuple[NDArray[np.uint8], float | None]:
    """Return the pixels of a JPEG at which libjpeg warned, and which share of them is damaged: 1 where it is unknown.

    Args:
        body: the file up to the end of its last scan, without the end marker.
        pixels: of the file as it is.
        colors: as ``simplejpeg`` names them.
    """
    whole, warning = _decode_pixels(body + _EOI, colors)
    if not warning:
        return whole, 0.0  # only the end marker is missing
    unpadded = body.rstrip(body[-1:])
    for length in range(min(3, len(body) - len(unpadded))):  # the last byte of the data may look like the padding
        whole, warning = _decode_pixels(unpadded + body[len(unpadded) : len(unpadded) + length] + _EOI, colors)
        if not warning:
            return whole, None  # some cameras fill the end
    # Other data after the end changes exactly those pixels whose own data are missing.
    changed, lacks_end_only = np.zeros(pixels.shape[:2], bool), True
    for seed in range(2):
        filler = random.Random(seed).randbytes(_FILLER_BYTES).replace(b"\xff", b"\x5a")
        filled, warning = _decode_pixels(body.rstrip(b"\xff") + filler + _EOI, colors)
        changed |= (filled != pixels).any(axis=-1)
        extra = _EXTRA_BYTES.search(warning)
        lacks_end_only &= extra is not None and 0 < len(filler) - int(extra[1]) <= _MAX_LOST_BYTES
    return pixels, _share_after_first(changed, lacks_end_only=lacks_end_only)


def _share_after_first(changed: NDArray[np.bool_], *, lacks_end_only: bool) -> float:
    """Return the share of the picture from its first changed block to its end, in the order of decoding; 1 if it is unknown.

    Args:
        changed: the pixels that depend on what follows the data.
        lacks_end_only: the decoder needs only a few bytes after the data, so where no block is changed, the last one is damaged.
    """
    height, width = changed.shape
    padded = np.pad(changed, ((0, -height % _MCU), (0, -width % _MCU)))
    blocks = padded.reshape(padded.shape[0] // _MCU, _MCU, padded.shape[1] // _MCU, _MCU)
    inner = blocks[:, 2:-2, :, 2:-2].any(axis=(1, 3))  # colors are interpolated across the edge of the block before
    if not inner.any():
        if not lacks_end_only:
            return 1.0
        inner = np.asarray(blocks.any(axis=(1, 3)))
        inner[-1, -1] = True
    row, column = divmod(int(inner.ravel().argmax()), inner.shape[1])
    top, left = row * _MCU, column * _MCU
    return float(((width - left) * min(_MCU, height - top) + width * max(0, height - top - _MCU)) / (width * height))


@dataclass(frozen=True)
class _JpegScans:
    """The scans of a JPEG (ITU-T T.81).

    Attributes:
        is_complete: a progressive JPEG has every bit of every coefficient; always true of a sequential one.
        end: where the data of the last scan end.
    """

    is_complete: bool
    end: int

    @classmethod
    def read(cls, data: bytes) -> "_JpegScans":
        """Read the headers of all scans; a file that ends early has the scans read so far."""
        missing_bits: dict[tuple[int, int], int] = {}  # of each coefficient of each component of a progressive JPEG
        position, end = 2, len(data)
        while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != _EOI[1]:
            marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
            if marker == 0xFF:  # fill byte
                position += 1
                continue
            segment = data[position + 4 : position + 2 + length]
            position += 2 + length
            if marker == _SOF_PROGRESSIVE:
                missing_bits = {(component, k): 16 for component in segment[6::3] for k in range(64)}
            if marker == _SOS and segment:
                if missing_bits and len(segment) >= 2 * segment[0] + 4:
                    first, last, bits = segment[2 * segment[0] + 1 :][:3]
                    missing_bits |= {(c, k): bits & 15 for c in segment[1 : 2 * segment[0] + 1 : 2] for k in range(first, last + 1)}
                found = _MARKER_IN_SCAN.search(data, position)
                position = end = found.start() if found else len(data)
        return cls(not any(missing_bits.values()), end)


def _repair_bmp(data: bytes) -> tuple[bytes, float | None]:
    """Return a BMP of the length that its header states, and the share of it that is missing; None where nothing is."""
    stated = int.from_bytes(data[2:6], "little")
    missing = stated - len(data)
    if missing <= 0 or missing >= MAX_DAMAGED_SHARE * stated:
        return data, None  # its decoder refuses it
    return data + bytes(missing), missing / stated


def _ends_in_zeros(data: bytes, container: str) -> bool:
    """Return whether the compressed data of a WebP, HEIF or AVIF end in zeros: the rest of an interrupted download."""
    if container == "webp":
        end = 8 + int.from_bytes(data[4:8], "little")
    else:
        end, position = 0, 0
        while position + 8 <= len(data) and (size := int.from_bytes(data[position : position + 4])) >= 8:
            position += size
            end = position if data[position - size + 4 : position - size + 8] == b"mdat" else end
    return 0 < end <= len(data) and not any(data[max(0, end - _ZERO_TAIL) : end])
