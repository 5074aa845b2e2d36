"""What the detector makes of the items that it was trained and validated on: what its later predictions are compared with for drift."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from tqdm import tqdm

from realframe.data.batches import FrameReader
from realframe.evaluation.item_scores import Pictures, Scorer
from realframe.media.frame_sampling import evenly

TRAIN_ITEMS = 300
FRAMES = 4
_TOGETHER = 8  # items whose frames are in memory at a time


def reference(scorer: Scorer, frames: Mapping[str, pd.DataFrame], splits: pd.DataFrame, val: pd.DataFrame, workers: int) -> pd.DataFrame:
    """Return the rows of ``reports/reference.parquet``: all validation items and up to 300 training items, ordered by split and item.

    ``features`` are the mean over at most 4 of an item's frames, evenly spaced; so is the ``score`` of a training item, with which
    nothing is compared. The score of a validation item is the one that the evaluation gave it, over all its frames, as in use.
    Which training items are taken depends on their ids alone, which are digests: they are a random and always the same sample.

    Args:
        scorer: the detector.
        frames: by split (``train`` and ``val``), the frame tables of ``realframe.data.batches``.
        splits: the rows of ``splits.parquet``.
        val: the validation items with their ``media_id`` and ``score``, as ``realframe.models.aggregate.item_table`` gives them.
        workers: threads that decode.
    """
    train = frames["train"]
    first = sorted(train["media_id"].unique())[:TRAIN_ITEMS]
    chosen = pd.concat([frames["val"], train[train["media_id"].isin(first)]], ignore_index=True)
    rows = list(tqdm(_scored(scorer, chosen, workers), "reference", chosen["media_id"].nunique(), unit="item"))
    table = splits[["media_id", "label", "kind", "split"]].merge(pd.DataFrame(rows), on="media_id", validate="one_to_one")
    known = table["media_id"].map(val.set_index("media_id")["score"])
    table["score"] = known.where(table["split"] == "val", table["score"])
    return table.sort_values(["split", "media_id"], ignore_index=True)


def _scored(scorer: Scorer, frames: pd.DataFrame, workers: int) -> Iterator[dict[str, object]]:
    reader = FrameReader(frames, workers, resident_bytes=0)
    items = sorted((str(media_id), [int(place) for place in places]) for media_id, places in frames.groupby("media_id").indices.items())
    for start in range(0, len(items), _TOGETHER):
        some = items[start : start + _TOGETHER]
        pictures: list[Pictures] = [reader.read(np.array(evenly(places, FRAMES), np.int64)) for _, places in some]
        for (media_id, _), scored in zip(some, scorer.score_each(pictures), strict=True):
            yield {"media_id": media_id, "score": scored.score, "features": scored.features}
