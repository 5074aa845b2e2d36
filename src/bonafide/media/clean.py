"""Cleaning: the sampled frames of an item to upright RGB squares, without the frames that would teach the model nothing."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from bonafide.media.picture import opened
from bonafide.media.quality import Quality, measure, reason_to_drop
from bonafide.media.shards import Shard, open_shard, write_shard
from bonafide.media.square import fitted, padded
from bonafide.params import Clean, Limits

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
        for index, picture in enumerate(_squares(sampled, clean, limits, name or shard)):
            quality = measure(picture)
            reason = reason_to_drop(quality, [row.phash for row in rows if row.kept], clean)
            rows.append(_row(sampled, index, reason, quality))
            if not reason:
                frames.append((f"{index:05d}.png", _png(padded(picture, clean.size))))
        facts = {key: sampled.facts[key] for key in ("media_id", "kind", "times_s")}
    write_shard(target, {**facts, "size": clean.size, "quality": [asdict(row) for row in rows]}, frames)
    return rows


def quality_rows(shard: Path) -> list[QualityRow]:
    """Return the quality rows that a clean shard carries."""
    with open_shard(shard) as cleaned:
        return [QualityRow(**row) for row in cleaned.facts["quality"]]


def _squares(sampled: Shard, clean: Clean, limits: Limits, name: object) -> Iterator[Image.Image]:
    for member, data in sampled.frames():
        container = sampled.facts["container"] if sampled.facts["kind"] == "image" else {"png": "png", "jpg": "jpeg"}[member.split(".")[1]]
        with opened(BytesIO(data), container, limits.max_pixels, name) as image:
            square = fitted(image, clean)
        yield square


def _row(sampled: Shard, index: int, reason: str, quality: Quality) -> QualityRow:
    time = sampled.facts["times_s"][index]
    return QualityRow(sampled.facts["media_id"], index, time, not reason, reason, **asdict(quality))


def _png(frame: Image.Image) -> bytes:
    data = BytesIO()
    frame.save(data, "PNG", compress_level=_PNG_LEVEL)
    return data.getvalue()
