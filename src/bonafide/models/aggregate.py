"""From frame scores to the score of a media item, the same for evaluation and for serving."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Aggregate = Literal["mean", "median"]
_HOW: dict[str, Callable[..., np.floating]] = {"mean": np.mean, "median": np.median}


def item_score(scores: Sequence[float] | NDArray[np.floating], how: Aggregate) -> float:
    """Return the score of one item.

    Args:
        scores: its frames' probabilities of ``fake``, (frames,), in [0, 1], at least one.
        how: ``mean``, or ``median``, which a few odd frames can't move.
    """
    return float(_HOW[how](np.asarray(scores, dtype=np.float64)))


def item_table(frames: pd.DataFrame, how: Aggregate, columns: Sequence[str] = ("score", "floor_score")) -> pd.DataFrame:
    """Return one row per item of a table of frames, sorted by ``media_id``.

    Args:
        frames: rows with ``media_id``, the score ``columns``, and facts that are the same for all frames of an item.
        how: how the frames of an item are put together.
        columns: the score columns.
    """
    facts = frames.drop(columns=[*columns, "index"], errors="ignore").drop_duplicates("media_id").set_index("media_id")
    grouped = frames.groupby("media_id", sort=True)
    scores = pd.DataFrame({column: grouped[column].agg(lambda values: item_score(values.to_numpy(), how)) for column in columns})
    return facts.join(scores).sort_index().reset_index()
