"""Find facts of a file's encoding history: the JPEG quantization and the names of its metadata."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from PIL import Image

# luminance table, ITU-T T.81 annex K.1; libjpeg and similar encoders scale it by the quality
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

_SYNONYMS = {"icc_profile": "icc", "jfif_version": "jfif", "jfif_unit": "jfif", "jfif_density": "jfif", "adobe_transform": "adobe"}
_SYNONYMS |= {"xml:com.adobe.xmp": "xmp", "raw profile type exif": "exif", "raw profile type xmp": "xmp", "progression": "progressive"}
_PICTURE_KEYS = {"transparency", "background", "bbox", "bit_depth", "chroma", "compression", "duration", "extension", "gamma"}
_PICTURE_KEYS |= {"interlace", "loop", "primary", "srgb", "timestamp", "version"}
_MAX_NAMES = 64  # a file can contain any number of them
_MAX_NAME_LENGTH = 40


def quantization_digest(image: Image.Image) -> str:
    """Return a digest of 12 hex digits over the quantization tables of a JPEG; empty for any other image."""
    tables = _tables(image)
    return hashlib.sha256(json.dumps(sorted(tables.items())).encode()).hexdigest()[:12] if tables else ""


def estimate_jpeg_quality(image: Image.Image) -> int:
    """Return the libjpeg quality, 1 to 100, whose luminance table has the sum closest to that of this JPEG; 0 for any other image."""
    tables = _tables(image)
    return int(_QUALITIES[np.abs(_SUMS - sum(tables[min(tables)])).argmin()]) if tables else 0


def image_metadata_names(image: Image.Image) -> str:
    """Return the names of an image's metadata (``exif``, ``icc``, ``xmp``, its text chunks), sorted, separated by spaces."""
    names = {str(name).lower() for name, value in image.info.items() if value not in (None, "", b"", [], {})}
    return _join_names({_SYNONYMS.get(name, name) for name in names} - _PICTURE_KEYS)


def video_metadata_names(container: InputContainer, picture: VideoStream) -> str:
    """Return the names of a video's tags and the types of its other streams, such as ``audio``, sorted, separated by spaces.

    The tags of the video stream have the prefix ``stream.``.
    """
    others = {stream.type for stream in container.streams if stream.index != picture.index}
    return _join_names({*container.metadata, *(f"stream.{name}" for name in picture.metadata), *others})


def _join_names(names: Iterable[str]) -> str:
    cleaned = {re.sub(r"[^a-z0-9._-]+", "_", name.lower())[:_MAX_NAME_LENGTH] for name in names}
    return " ".join(sorted(cleaned)[:_MAX_NAMES])


def _tables(image: Image.Image) -> Mapping[int, list[int]]:
    return getattr(image, "quantization", None) or {}
