"""List the clean frames of a split and batch them, with labels and sample weights, as a ``tf.data.Dataset`` in a seeded order.

Pixels are decoded on demand, so that memory does not grow with the dataset.
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
from realframe.files import compute_sha256

_POSITIVE_LABEL = "fake"
_RESIDENT_BYTES = 1 << 30  # of decoded frames kept in memory; the others are decoded at each use

Gather = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(rows of a frame table, views), both int64 (B,) -> the inputs of the model, (B, ...)."""


def build_frame_table(splits: pd.DataFrame, clean_frames_dir: Path, split: str) -> pd.DataFrame:
    """List the clean frames of one split.

    The weight of an item is divided evenly among its frames, so that a video of 256 frames counts as much as a photo. The weights are then
    scaled to mean 1 over an epoch, repeats included, so that a learning rate means the same for each dataset.

    Args:
        splits: the rows of ``splits.parquet``.
        clean_frames_dir: the folder of clean shards.
        split: ``train``, ``val`` or ``test``.

    Returns:
        One row per frame, ordered by ``media_id`` and ``index``: ``media_id``, ``source``, ``cluster``, ``index`` (of the sampled frame),
        ``label`` (1 is fake), ``weight`` (float), ``repeat`` (showings per epoch), ``shard`` (path), ``digest`` (of the shard),
        ``position`` (in the shard), ``offset`` and ``bytes`` (of the encoded frame within the shard).

    Raises:
        DatasetError: an item has no shard, or the split has no frames.
    """
    items = splits[splits["split"] == split].sort_values("media_id")
    rows = [
        row
        for item in tqdm(items.itertuples(), f"index {split}", len(items), unit="item")
        for row in _list_item_frames(item, clean_frames_dir)
    ]
    if not rows:
        raise DatasetError(f"split {split}", "has no frames", "Add media, or give the split a larger share in params.yaml.")
    table = pd.DataFrame(rows)
    table["weight"] *= table["repeat"].sum() / (table["weight"] * table["repeat"]).sum()
    return table


def _list_item_frames(item: Any, clean_frames_dir: Path) -> list[dict[str, object]]:
    media_id, label, weight, repeat = item.media_id, item.label, item.weight, item.repeat
    shard = clean_frames_dir / f"{media_id}.tar"
    if not shard.exists():
        raise DatasetError(shard, "does not exist: the item is in a split but has no clean frames", "Run the stage clean_frames again.")
    with tarfile.open(shard) as tar:
        members = sorted((member for member in tar.getmembers() if member.name.endswith(".png")), key=lambda member: member.name)
    facts = {
        "media_id": media_id,
        "source": item.source,
        "cluster": item.cluster,
        "label": int(label == _POSITIVE_LABEL),
        "repeat": int(repeat),
    }
    shared = {**facts, "shard": str(shard), "digest": compute_sha256(shard)}
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
    """Decodes frames of a frame table in threads, and caches as many as fit into ``resident_bytes`` of memory."""

    def __init__(self, table: pd.DataFrame, workers: int, resident_bytes: int = _RESIDENT_BYTES) -> None:
        self._locations = list(zip(table["shard"], table["offset"], table["bytes"], strict=True))
        self._pool = ThreadPoolExecutor(workers)
        self._free_bytes = resident_bytes
        self._cached: dict[int, np.ndarray] = {}

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return the frames of the given rows, uint8 RGB (len(rows), size, size, 3)."""
        return np.stack(list(self._pool.map(self._read_frame, rows.tolist())))

    def _read_frame(self, row: int) -> np.ndarray:
        if row in self._cached:
            return self._cached[row]
        shard, offset, length = self._locations[row]
        with Path(shard).open("rb") as stream:
            stream.seek(offset)
            frame = np.asarray(Image.open(io.BytesIO(stream.read(length))).convert("RGB"))
        if self._free_bytes >= frame.nbytes:
            self._free_bytes -= frame.nbytes
            self._cached[row] = frame
        return frame


@dataclass
class EpochPlan:
    """The order of the frames of each epoch, and the augmented view of each showing.

    Each epoch shows every frame ``repeat`` times, in a new order, each time in a random view. A small set is repeated until ``min_steps``
    batches are full. The order depends on the seed and the epoch only, so that training can resume at any epoch.

    Attributes:
        table: the frames.
        batch_size: frames per batch.
        views: number of augmented views of each frame.
        min_steps: batches per epoch, at least.
        seed: seed of the order and the views.
        epoch: the epoch of the next iteration, from 0.
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
        repeated = np.repeat(np.arange(len(self.table)), self.table["repeat"])
        passes = -(-self.steps * self.batch_size // len(repeated)) if self.min_steps > 1 else 1
        rows = np.concatenate([rng.permutation(repeated) for _ in range(passes)])[: self.steps * self.batch_size]
        views = rng.integers(0, self.views, len(rows))
        for start in range(0, len(rows), self.batch_size):
            yield rows[start : start + self.batch_size], views[start : start + self.batch_size]


def build_tf_dataset(plan: EpochPlan, gather: Gather) -> tf.data.Dataset:
    """Return a dataset of the batches (inputs, label (B, 1), sample weight (B,)) of one epoch; it prefetches two batches.

    Args:
        plan: the order of the frames; each pass over the dataset shows the epoch that ``plan.epoch`` names when the pass begins.
        gather: returns the inputs of a batch.
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
