"""What a file betrays of its history besides its pictures: how its JPEG was quantised, and the names of what it carries along."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

# luminance, ITU-T T.81 annex K.1; libjpeg scales it by the quality, and so do the encoders that follow it
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_QUALITIES = np.arange(1, 101)
_SCALES = np.where(_QUALITIES < 50, 5000 // _QUALITIES, 200 - 2 * _QUALITIES)
_SUMS = ((_LUMINANCE * _SCALES[:, None, None] + 50) // 100).clip(1, 255).sum(axis=(1, 2))

_SAME = {"icc_profile": "icc", "jfif_version": "jfif", "jfif_unit": "jfif", "jfif_density": "jfif", "adobe_transform": "adobe"}
_SAME |= {"xml:com.adobe.xmp": "xmp", "raw profile type exif": "exif", "raw profile type xmp": "xmp", "progression": "progressive"}
_OF_THE_PICTURE = {"transparency", "background", "bbox", "bit_depth", "chroma", "compression", "duration", "extension", "gamma"}
_OF_THE_PICTURE |= {"interlace", "loop", "primary", "srgb", "timestamp", "version"}
_MOST_NAMES = 64  # a file can name as many as it likes
_LONGEST = 40


def quantisation_of(image: Image.Image) -> str:
    """Return 12 hex digits over the quantisation tables of a JPEG; empty for any other image."""
    tables = _tables(image)
    return hashlib.sha256(json.dumps(sorted(tables.items())).encode()).hexdigest()[:12] if tables else ""


def jpeg_quality_of(image: Image.Image) -> int:
    """Return the libjpeg quality, 1 to 100, whose luminance table sums up to what this JPEG's does; 0 for any other image."""
    tables = _tables(image)
    return int(_QUALITIES[np.abs(_SUMS - sum(tables[min(tables)])).argmin()]) if tables else 0


def carried_by_image(image: Image.Image) -> str:
    """Return what an image carries besides its picture (``exif``, ``icc``, ``xmp``, its text chunks): sorted names, space-separated."""
    held = {str(name).lower() for name, value in image.info.items() if value not in (None, "", b"", [], {})}
    return _listed({_SAME.get(name, name) for name in held} - _OF_THE_PICTURE)


def carried_by_video(container: InputContainer, picture: VideoStream) -> str:
    """Return what a video carries besides its pictures: the names of its tags, and the kinds of its other streams, such as ``audio``.

    They are sorted and space-separated; ``stream.`` stands before the tags of the picture stream.
    """
    others = {stream.type for stream in container.streams if stream.index != picture.index}
    return _listed({*container.metadata, *(f"stream.{name}" for name in picture.metadata), *others})


def _listed(names: Iterable[str]) -> str:
    plain = {re.sub(r"[^a-z0-9._-]+", "_", name.lower())[:_LONGEST] for name in names}
    return " ".join(sorted(plain)[:_MOST_NAMES])


def _tables(image: Image.Image) -> Mapping[int, list[int]]:
    return getattr(image, "quantization", None) or {}
