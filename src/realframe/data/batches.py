"""From the clean shards of the chosen items to batches of frames, labels and weights, in an order that depends on the seed alone.

Pixels are decoded when they are asked for, so that memory does not grow with the dataset.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from realframe.errors import DatasetError
from realframe.files import sha256_of

POSITIVE = "fake"
_RESIDENT_BYTES = 1 << 30  # decoded frames kept in memory; beyond it they are decoded again each time

Gather = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(rows, views), both int64 (B,) -> what the model takes for them, (B, ...)."""


def frame_table(splits: pd.DataFrame, clean: Path, split: str) -> pd.DataFrame:
    """List the clean frames of one split.

    The frames of an item share its weight evenly, so that a video of 256 frames counts as much as a photo; the weights are then
    scaled to mean 1 over all showings, so that a learning rate means the same for each dataset.

    Args:
        splits: the rows of ``splits.parquet``.
        clean: the folder of clean shards.
        split: ``train``, ``val`` or ``test``.

    Returns:
        One row per frame, ordered by ``media_id`` and ``index``: ``media_id``, ``cluster``, ``index`` (of the sampled frame), ``label``
        (1 is fake), ``weight`` (float), ``repeat`` (times it is shown per epoch), ``shard`` (path), ``digest`` (of the shard),
        ``position`` (in the shard), ``offset`` and ``bytes`` (of the encoded frame within the shard).

    Raises:
        DatasetError: an item has no shard, or the split has no frame.
    """
    items = splits[splits["split"] == split].sort_values("media_id")
    rows = [row for item in tqdm(items.itertuples(), f"index {split}", len(items), unit="item") for row in _item_rows(item, clean)]
    if not rows:
        raise DatasetError(f"split {split}", "has no frame", "Add media, or give the split a larger share in params.yaml.")
    table = pd.DataFrame(rows)
    table["weight"] *= table["repeat"].sum() / (table["weight"] * table["repeat"]).sum()
    return table


def _item_rows(item: Any, clean: Path) -> list[dict[str, object]]:
    media_id, label, weight, repeat = item.media_id, item.label, item.weight, item.repeat
    shard = clean / f"{media_id}.tar"
    if not shard.exists():
        raise DatasetError(shard, "the item is in a split but has no clean frames", "Run clean_frames again.")
    with tarfile.open(shard) as tar:
        members = sorted((member for member in tar.getmembers() if member.name.endswith(".png")), key=lambda member: member.name)
    facts = {"media_id": media_id, "cluster": item.cluster, "label": int(label == POSITIVE), "repeat": int(repeat)}
    shared = {**facts, "shard": str(shard), "digest": sha256_of(shard)}
    return [
        {
            **shared,
            "index": int(Path(member.name).stem),
            "weight": float(weight) / len(members),
            "position": position,
            "offset": member.offset_data,
            "bytes": member.size,
        }
        for position, member in enumerate(members)
    ]


class FrameReader:
    """Decodes frames of a frame table, in threads, and remembers as many as fit in its memory."""

    def __init__(self, table: pd.DataFrame, workers: int, resident_bytes: int = _RESIDENT_BYTES) -> None:
        self._places = list(zip(table["shard"], table["offset"], table["bytes"], strict=True))
        self._pool = ThreadPoolExecutor(workers)
        self._room = resident_bytes
        self._kept: dict[int, np.ndarray] = {}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the frames of the given rows, uint8 RGB (len(rows), size, size, 3)."""
        return np.stack(list(self._pool.map(self._one, rows.tolist())))

    def _one(self, row: int) -> np.ndarray:
        if row in self._kept:
            return self._kept[row]
        shard, offset, length = self._places[row]
        with Path(shard).open("rb") as stream:
            stream.seek(offset)
            frame = np.asarray(Image.open(io.BytesIO(stream.read(length))).convert("RGB"))
        if self._room >= frame.nbytes:
            self._room -= frame.nbytes
            self._kept[row] = frame
        return frame


@dataclass
class EpochPlan:
    """Which frame is shown when, and in which of its augmented views.

    Each epoch shows every frame ``repeat`` times, in a new order, each time in a view drawn at random; a small set is gone through
    again until ``min_steps`` batches are full. The order depends on the seed and the epoch only, so that training can go on from any epoch.

    Attributes:
        table: the frames.
        batch_size: frames per batch.
        views: augmented views of each frame.
        min_steps: batches per epoch, at least.
        seed: of the order and the views.
        epoch: the epoch that the next iteration goes through.
    """

    table: pd.DataFrame
    batch_size: int
    views: int
    min_steps: int
    seed: int
    epoch: int = 0

    @property
    def steps(self) -> int:
        """Batches per epoch."""
        return max(self.min_steps, -(-int(self.table["repeat"].sum()) // self.batch_size))

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (rows, views) of each batch of the current epoch."""
        rng = np.random.default_rng([self.seed, self.epoch])
        shown = np.repeat(np.arange(len(self.table)), self.table["repeat"])
        passes = -(-self.steps * self.batch_size // len(shown)) if self.min_steps > 1 else 1
        rows = np.concatenate([rng.permutation(shown) for _ in range(passes)])[: self.steps * self.batch_size]
        views = rng.integers(0, self.views, len(rows))
        for start in range(0, len(rows), self.batch_size):
            yield rows[start : start + self.batch_size], views[start : start + self.batch_size]


def stream(plan: EpochPlan, gather: Gather) -> tf.data.Dataset:
    """Return the batches of ``plan``'s epoch as a dataset of (inputs, label (B, 1), sample weight (B,)), two batches ahead.

    Args:
        plan: what to show; each pass over the dataset shows the epoch that ``plan.epoch`` names at its start.
        gather: gives the inputs of a batch.
    """
    labels = plan.table["label"].to_numpy(np.float32)[:, None]
    weights = plan.table["weight"].to_numpy(np.float32)
    example = gather(np.zeros(1, np.int64), np.zeros(1, np.int64))

    def generate() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        for rows, views in plan.batches():
            yield gather(rows, views), labels[rows], weights[rows]

    signature = (
        tf.TensorSpec((None, *example.shape[1:]), example.dtype),
        tf.TensorSpec((None, 1), tf.float32),
        tf.TensorSpec((None,), tf.float32),
    )
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(plan.steps)).prefetch(2)
