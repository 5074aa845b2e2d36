"""Build the training reference: scores and features of training and validation items.

Drift detection compares later predictions with it.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from realframe.data.batches import FrameReader
from realframe.evaluation.item_scores import ItemFrames, ItemScorer
from realframe.media.frame_sampling import sample_evenly

MAX_TRAIN_ITEMS = 300
MAX_FRAMES = 4
_BATCH_ITEMS = 8  # items whose frames are in memory at a time


def build_training_reference(
    scorer: ItemScorer, frames: Mapping[str, pd.DataFrame], splits: pd.DataFrame, val: pd.DataFrame, workers: int
) -> pd.DataFrame:
    """Return the rows of ``reports/training_reference.parquet``: all validation items and up to 300 training items.

    Rows are ordered by split and item. ``features`` are the mean over at most 4 evenly spaced frames of an item. The ``score`` of a
    training item is based on the same frames, that of a validation item on all its frames, as in serving. The training items are those
    with the lowest ids. Ids are digests, so this is a random sample, and always the same.

    Args:
        scorer: the detector.
        frames: the frame tables of ``realframe.data.batches`` by split (``train`` and ``val``).
        splits: the rows of ``splits.parquet``.
        val: the validation items with their ``media_id`` and ``score``, result of ``realframe.models.aggregate.aggregate_by_item``.
        workers: number of decoding threads.
    """
    train = frames["train"]
    first = sorted(train["media_id"].unique())[:MAX_TRAIN_ITEMS]
    chosen = pd.concat([frames["val"], train[train["media_id"].isin(first)]], ignore_index=True)
    rows = list(tqdm(_iter_rows(scorer, chosen, workers), "training reference", chosen["media_id"].nunique(), unit="item"))
    table = splits[["media_id", "label", "kind", "split"]].merge(pd.DataFrame(rows), on="media_id", validate="one_to_one")
    known = table["media_id"].map(val.set_index("media_id")["score"])
    table["score"] = known.where(table["split"] == "val", table["score"])
    return table.sort_values(["split", "media_id"], ignore_index=True)


def _iter_rows(scorer: ItemScorer, frames: pd.DataFrame, workers: int) -> Iterator[dict[str, object]]:
    reader = FrameReader(frames, workers, resident_bytes=0)
    items = sorted((str(media_id), [int(row) for row in rows]) for media_id, rows in frames.groupby("media_id").indices.items())
    for start in range(0, len(items), _BATCH_ITEMS):
        batch = items[start : start + _BATCH_ITEMS]
        pixels: list[ItemFrames] = [reader.read(np.array(sample_evenly(rows, MAX_FRAMES), np.int64)) for _, rows in batch]
        for (media_id, _), scored in zip(batch, scorer.score_many(pixels), strict=True):
            yield {"media_id": media_id, "score": scored.score, "features": scored.features}
