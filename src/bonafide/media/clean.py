"""Cleaning: the sampled frames of an item to upright RGB squares, without the frames that would teach the model nothing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from bonafide.media.picture import opened
from bonafide.media.quality import Quality, measure, reason_to_drop
from bonafide.media.shards import open_shard, write_shard
from bonafide.media.square import fitted, padded
from bonafide.params import Clean, Limits

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
