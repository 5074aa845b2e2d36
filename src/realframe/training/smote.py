"""SMOTE on features: new training items of the smaller class, each between one of its items and a neighbour.

Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique" (JAIR 2002), by imbalanced-learn. Neighbours are found among the items'
mean features; what is interpolated is whatever the trainable part takes in, frame by frame. So the pairs alone are kept in memory,
and every recipe with a frozen backbone can use it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE

from realframe.data.batches import Gather
from realframe.errors import TooFewItemsError
from realframe.media.frame_sampling import evenly

_NEIGHBOURS = 5


@dataclass(frozen=True)
class Between:
    """A synthetic item: ``share`` of the way from the item at position ``base`` to the one at ``neighbour``."""

    base: int
    neighbour: int
    share: float


class _RecordingSmote(SMOTE):
    """Keeps where each synthetic sample lies, which imbalanced-learn computes but does not return."""

    def _generate_samples(self, X: Any, nn_data: Any, nn_num: Any, rows: Any, cols: Any, steps: Any, *rest: Any) -> Any:  # noqa: N803
        self.drawn_ = (rows, nn_num[rows, cols], steps[:, 0])
        return super()._generate_samples(X, nn_data, nn_num, rows, cols, steps, *rest)


def synthetic_items(means: np.ndarray, fake: np.ndarray, seed: int) -> list[Between]:
    """Return as many synthetic items as the smaller class lacks.

    Args:
        means: mean features of the training items, (n, width).
        fake: their labels, bool (n,).
        seed: of the draw.

    Raises:
        TooFewItemsError: the smaller class has a single item.
    """
    counts = int((~fake).sum()), int(fake.sum())
    if counts[0] == counts[1]:
        return []
    smaller = np.flatnonzero(fake == (counts[1] < counts[0]))
    if len(smaller) < 2:
        raise TooFewItemsError("balance.method: smote", "the smaller class has one training item, so nothing lies between", "Add items.")
    smote = _RecordingSmote(random_state=seed, k_neighbors=min(_NEIGHBOURS, len(smaller) - 1))
    smote.fit_resample(means, fake)
    return [Between(int(smaller[base]), int(smaller[other]), float(share)) for base, other, share in zip(*smote.drawn_, strict=True)]


def with_synthetic_frames(frames: pd.DataFrame, items: list[Between]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return a frame table with rows for the frames of synthetic items, and how those are made.

    A synthetic item has as many frames as the shorter of its two, taken evenly from both, and weighs what its base does.

    Args:
        frames: rows of ``frame_table``, whole items in order.
        items: positions among the items in that order.

    Returns:
        The table; for each of its rows the two rows of ``frames`` it lies between, int64 (rows, 2); and how far, float32 (rows,).
    """
    places = [np.asarray(rows) for rows in frames.groupby("media_id", sort=False).indices.values()]
    rows = np.tile(np.arange(len(frames))[:, None], (1, 2))
    shares, added = np.zeros(len(frames), np.float32), [frames]
    for item in items:
        base, other = places[item.base], places[item.neighbour]
        count = min(len(base), len(other))
        pair = np.array([evenly(base.tolist(), count), evenly(other.tolist(), count)], np.int64).T
        rows, shares = np.concatenate([rows, pair]), np.concatenate([shares, np.full(count, item.share, np.float32)])
        added.append(frames.iloc[pair[:, 0]].assign(weight=frames["weight"].iloc[base].sum() / count))
    return pd.concat(added, ignore_index=True), rows, shares


def interpolated(gather: Gather, rows: np.ndarray, shares: np.ndarray) -> Gather:
    """Return a gather for the rows of the table that :func:`with_synthetic_frames` gave, over one for those of the frames."""

    def gathered(chosen: np.ndarray, views: np.ndarray) -> np.ndarray:
        values = gather(rows[chosen, 0], views)
        between = np.flatnonzero(shares[chosen])
        if len(between):
            others = gather(rows[chosen[between], 1], views[between])
            share = shares[chosen[between]].reshape(-1, *[1] * (values.ndim - 1))
            values[between] += share * (others - values[between])
        return values

    return gathered
