"""Is a frame worth showing to the model? Contrast, sharpness and a perceptual hash, measured on the square that the model sees.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., «Diatom autofocusing in brightfield microscopy», ICPR 2000); the
hash is the 64-bit DCT hash of Zauner, «Implementation and benchmarking of perceptual image hash functions», 2010, by ``imagehash``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

from bonafide.params import Clean


@dataclass(frozen=True)
class Quality:
    """What was measured on one frame.

    Attributes:
        std: standard deviation of its luminance, 0 to 127.5.
        sharpness: variance of the Laplacian of its luminance (0 to 255).
        brightness: mean of its luminance, 0 to 255.
        phash: 16 hex digits.
    """

    std: float
    sharpness: float
    brightness: float
    phash: str


def measure(frame: Image.Image) -> Quality:
    """Measure an RGB ``frame``, at least 3 x 3 pixels."""
    grey = frame.convert("L")
    light = np.asarray(grey, np.float32)
    middle = light[1:-1, 1:-1]
    laplacian = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:] - 4 * middle
    std, sharpness, brightness = (round(float(figure), 3) for figure in (light.std(), laplacian.var(), light.mean(dtype=np.float64)))
    return Quality(std, sharpness, brightness, str(imagehash.phash(grey)))


def reason_to_drop(quality: Quality, kept: Sequence[str], clean: Clean) -> str:
    """Return ``blank``, ``blurred``, ``duplicate`` or, for a frame to keep, the empty string.

    Args:
        quality: of the frame.
        kept: the hashes of the item's frames kept so far; so the first good frame of an item is never a duplicate.
        clean: the thresholds.
    """
    if quality.std < clean.min_std:
        return "blank"
    if quality.sharpness < clean.min_sharpness:
        return "blurred"
    if any(distance(quality.phash, other) <= clean.duplicate_distance for other in kept):
        return "duplicate"
    return ""


def distance(one: str, other: str) -> int:
    """Return in how many bits two perceptual hashes, hex digits, differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
