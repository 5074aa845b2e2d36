"""Is a frame worth showing to the model? Contrast, sharpness and a perceptual hash, measured on the square that the model sees.

Sharpness is the variance of the Laplacian (Pech-Pacheco et al., «Diatom autofocusing in brightfield microscopy», ICPR 2000); the
hash is the 64-bit DCT hash of Zauner, «Implementation and benchmarking of perceptual image hash functions», 2010, by ``imagehash``.

Cleaning: the sampled frames of an item to upright RGB squares, without the frames that would teach the model nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import Image

from realframe.config import Clean, Limits
from realframe.media.shards import open_shard, write_shard
from realframe.media.square import fitted, padded
from realframe.media.still_image import opened


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


FRAME = {"png": "png", "jpg": "jpeg"}
"""The container of a video's sampled frame, by its suffix."""
_PNG_LEVEL = 1  # of zlib; the shards live as long as the dataset, but they are written and read far more often than they are moved


@dataclass(frozen=True)
class QualityRow:
    """One row of ``data/quality.parquet``: one sampled frame.

    Attributes:
        media_id: the item.
        index: of the frame among the item's sampled frames.
        time_s: when it is shown, seconds since the item's first frame.
        kept: whether it passed.
        reason: empty, ``blank``, ``blurred`` or ``duplicate``.
        std: as in ``Quality``.
        sharpness: as in ``Quality``.
        brightness: as in ``Quality``.
        phash: as in ``Quality``.
    """

    media_id: str
    index: int
    time_s: float
    kept: bool
    reason: str
    std: float
    sharpness: float
    brightness: float
    phash: str


def clean(shard: Path, clean: Clean, limits: Limits, target: Path, name: object = "") -> list[QualityRow]:
    """Write the frames of ``shard`` that pass to the shard ``target``, as lossless PNG, atomically.

    The quality rows go into the new shard too; one in which no frame passed is written with the rows alone.

    Args:
        shard: what ``extract`` wrote.
        clean: size, fit and thresholds.
        limits: ``max_pixels`` of a frame.
        target: the new shard.
        name: what errors call the item; by default the shard.

    Returns:
        One row per sampled frame, in order.

    Raises:
        UndecodableError: a frame can't be decoded.
        OverLimitError: a frame is larger than ``limits`` allows.
    """
    rows: list[QualityRow] = []
    frames: list[tuple[str, bytes]] = []
    with open_shard(shard) as sampled:
        facts = {key: sampled.facts[key] for key in ("media_id", "kind", "times_s")}
        still = sampled.facts["container"] if facts["kind"] == "image" else ""
        squares = (
            square_of(BytesIO(data), still or FRAME[member.split(".")[1]], clean, limits, name or shard)
            for member, data in sampled.frames()
        )
        for row, picture in judged(squares, facts["media_id"], facts["times_s"], clean):
            rows.append(row)
            if row.kept:
                frames.append((f"{row.index:05d}.png", _png(picture)))
    write_shard(target, {**facts, "size": clean.size, "quality": [asdict(row) for row in rows]}, frames)
    return rows


@dataclass(frozen=True)
class Square:
    """One sampled frame as the model would see it, and what was measured on it.

    Attributes:
        picture: RGB, ``clean.size`` square.
        quality: measured without the bars of ``pad``.
    """

    picture: Image.Image
    quality: Quality


def square_of(frame: Path | BinaryIO, container: str, clean: Clean, limits: Limits, name: object) -> Square:
    """Return the square of one frame.

    Args:
        frame: a file, or a stream of its bytes.
        container: of ``signature.PILLOW_FORMATS``.
        clean: size and fit.
        limits: ``max_pixels`` of a frame.
        name: what errors call the item.

    Raises:
        UndecodableError: it can't be decoded.
        OverLimitError: it is larger than ``limits`` allows.
    """
    with opened(frame, container, limits.max_pixels, name) as image:
        picture = fitted(image, clean)
    return Square(padded(picture, clean.size), measure(picture))


def judged(squares: Iterable[Square], media_id: str, times_s: Sequence[float], clean: Clean) -> Iterator[tuple[QualityRow, Image.Image]]:
    """Yield, for each of an item's squares in order, its quality row, which says whether it passes, and its picture."""
    passed: list[str] = []
    for index, square in enumerate(squares):
        reason = reason_to_drop(square.quality, passed, clean)
        if not reason:
            passed.append(square.quality.phash)
        yield QualityRow(media_id, index, times_s[index], not reason, reason, **asdict(square.quality)), square.picture


def quality_rows(shard: Path) -> list[QualityRow]:
    """Return the quality rows that a clean shard carries."""
    with open_shard(shard) as cleaned:
        return [QualityRow(**row) for row in cleaned.facts["quality"]]


def _png(frame: Image.Image) -> bytes:
    data = BytesIO()
    frame.save(data, "PNG", compress_level=_PNG_LEVEL)
    return data.getvalue()
