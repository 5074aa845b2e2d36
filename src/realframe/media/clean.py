"""Clean sampled frames: convert them to the upright RGB squares that the model sees, and drop blank, blurred and repeated ones.

Quality is measured on that square. Sharpness is the variance of the Laplacian (Pech-Pacheco et al., "Diatom autofocusing in brightfield
microscopy", ICPR 2000); the hash is the 64-bit DCT hash of Zauner, "Implementation and benchmarking of perceptual image hash
functions", 2010, computed by ``imagehash``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
import pyarrow as pa
from PIL import Image

from realframe.config import CleanParams, Limits
from realframe.errors import NoUsableFrameError
from realframe.media.image_damage import decode_image
from realframe.media.shards import open_shard, write_shard
from realframe.media.square import fit_to_square, pad_to_square

FRAME_CONTAINERS = {"png": "png", "jpg": "jpeg"}
"""The container of a video's sampled frame, by its suffix."""
QUALITY_SCHEMA = pa.schema(
    {
        "media_id": pa.string(),
        "index": pa.int64(),
        "time_s": pa.float64(),
        "is_kept": pa.bool_(),
        "reason": pa.string(),
        "std": pa.float64(),
        "sharpness": pa.float64(),
        "brightness": pa.float64(),
        "phash": pa.string(),
    }
)
"""The columns of ``data/quality.parquet``, as in ``QualityRow``."""
_PNG_LEVEL = 1  # of zlib; the shards are written and read far more often than they are copied to another disk


@dataclass(frozen=True)
class FrameQuality:
    """Measurements of one frame.

    Attributes:
        std: standard deviation of its luminance, 0 to 127.5.
        sharpness: variance of the Laplacian of its luminance (0 to 255).
        brightness: mean of its luminance, 0 to 255.
        phash: perceptual hash, 16 hex digits.
    """

    std: float
    sharpness: float
    brightness: float
    phash: str


@dataclass(frozen=True)
class FrameSquare:
    """One sampled frame as the model sees it, and its measurements.

    Attributes:
        picture: RGB, a square of side ``clean.size``.
        quality: measured without the bars that ``fit: pad`` adds.
        damaged_share: share of the frame's pixels that are damaged, below ``MAX_DAMAGED_SHARE``; None where no damage is found.
    """

    picture: Image.Image
    quality: FrameQuality
    damaged_share: float | None = None


@dataclass(frozen=True)
class QualityRow:
    """One row of ``data/quality.parquet``: one sampled frame.

    Attributes:
        media_id: the item.
        index: of the frame among the item's sampled frames.
        time_s: time of the frame, seconds since the item's first frame.
        is_kept: whether the frame is kept.
        reason: why it is dropped: ``blank``, ``blurred`` or ``duplicate``; empty if it is kept.
        std: as in ``FrameQuality``.
        sharpness: as in ``FrameQuality``.
        brightness: as in ``FrameQuality``.
        phash: as in ``FrameQuality``.
    """

    media_id: str
    index: int
    time_s: float
    is_kept: bool
    reason: str
    std: float
    sharpness: float
    brightness: float
    phash: str


def clean_shard(shard: Path, params: CleanParams, limits: Limits, target: Path, subject: object = "") -> list[QualityRow]:
    """Write the kept frames of ``shard`` to the shard ``target``, as lossless PNG, atomically.

    The new shard also contains the quality rows; if no frame is kept, it contains them alone.

    Args:
        shard: written by ``extract_frames``.
        params: size, fit and thresholds.
        limits: ``max_pixels`` of a frame.
        target: the new shard.
        subject: the name of the item in errors; by default the shard.

    Returns:
        One row per sampled frame, in order.

    Raises:
        UndecodableError: a frame cannot be decoded.
        LimitExceededError: a frame is larger than ``limits`` allows.
    """
    rows: list[QualityRow] = []
    frames: list[tuple[str, bytes]] = []
    with open_shard(shard) as sampled:
        facts = {key: sampled.facts[key] for key in ("media_id", "kind", "times_s")}
        image_container = sampled.facts["container"] if facts["kind"] == "image" else ""
        squares = (
            make_square(BytesIO(data), image_container or FRAME_CONTAINERS[member.split(".")[1]], params, limits, subject or shard)
            for member, data in sampled.frames()
        )
        for row, picture in assess_squares(squares, facts["media_id"], facts["times_s"], params):
            rows.append(row)
            if row.is_kept:
                frames.append((f"{row.index:05d}.png", _encode_png(picture)))
    write_shard(target, {**facts, "size": params.size, "quality": [asdict(row) for row in rows]}, frames)
    return rows


def make_square(frame: Path | BinaryIO, container: str, params: CleanParams, limits: Limits, subject: object) -> FrameSquare:
    """Convert one frame to a square and measure its quality.

    Args:
        frame: a file, or a stream of its content.
        container: a key of ``signature.PILLOW_FORMATS``.
        params: size and fit.
        limits: ``max_pixels`` of a frame.
        subject: the name of the item in errors.

    Raises:
        UndecodableError: the frame cannot be decoded, or too much of it is damaged.
        LimitExceededError: it is larger than ``limits`` allows.
    """
    with decode_image(frame, container, limits.max_pixels, subject) as decoded:
        picture = fit_to_square(decoded.image, params)
    return FrameSquare(pad_to_square(picture, params.size), measure_quality(picture), decoded.damaged_share)


def assess_squares(
    squares: Iterable[FrameSquare], media_id: str, times_s: Sequence[float], params: CleanParams
) -> Iterator[tuple[QualityRow, Image.Image]]:
    """Yield the quality row, which says whether the frame is kept, and the picture of each square of an item, in order."""
    kept_hashes: list[str] = []
    for index, square in enumerate(squares):
        reason = drop_reason(square.quality, kept_hashes, params)
        if not reason:
            kept_hashes.append(square.quality.phash)
        yield QualityRow(media_id, index, times_s[index], not reason, reason, **asdict(square.quality)), square.picture


def measure_quality(frame: Image.Image) -> FrameQuality:
    """Measure the quality of an RGB ``frame`` of at least 3 x 3 pixels."""
    gray = frame.convert("L")
    luminance = np.asarray(gray, np.float32)
    center = luminance[1:-1, 1:-1]
    laplacian = luminance[:-2, 1:-1] + luminance[2:, 1:-1] + luminance[1:-1, :-2] + luminance[1:-1, 2:] - 4 * center
    values = (luminance.std(), laplacian.var(), luminance.mean(dtype=np.float64))
    std, sharpness, brightness = (round(float(value), 3) for value in values)
    return FrameQuality(std, sharpness, brightness, str(imagehash.phash(gray)))


def drop_reason(quality: FrameQuality, kept_hashes: Sequence[str], params: CleanParams) -> str:
    """Return why a frame is dropped: ``blank``, ``blurred`` or ``duplicate``; the empty string if it is kept.

    Args:
        quality: of the frame.
        kept_hashes: hashes of the item's frames kept so far, so that the first good frame of an item is never a duplicate.
        params: the thresholds.
    """
    if quality.std < params.min_std:
        return "blank"
    if quality.sharpness < params.min_sharpness:
        return "blurred"
    if any(hamming_distance(quality.phash, other) <= params.duplicate_distance for other in kept_hashes):
        return "duplicate"
    return ""


def hamming_distance(first: str, second: str) -> int:
    """Return in how many bits two perceptual hashes, as hex digits, differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def check_usable_frames(rows: Sequence[QualityRow], subject: object) -> None:
    """Raise NoUsableFrameError if no frame of an item is kept."""
    if not any(row.is_kept for row in rows):
        reasons = ", ".join(sorted({row.reason for row in rows}))
        hint = "Lower clean.min_std or clean.min_sharpness."
        raise NoUsableFrameError(subject, f"has no usable frame: {len(rows)} sampled, all {reasons}", hint)


def read_quality_rows(shard: Path) -> list[QualityRow]:
    """Return the quality rows in a clean shard."""
    with open_shard(shard) as cleaned:
        return [QualityRow(**row) for row in cleaned.facts["quality"]]


def _encode_png(frame: Image.Image) -> bytes:
    data = BytesIO()
    frame.save(data, "PNG", compress_level=_PNG_LEVEL)
    return data.getvalue()
