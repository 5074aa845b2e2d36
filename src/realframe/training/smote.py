"""SMOTE on features: synthetic training items of the smaller class, each interpolated between two of its items.

Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique" (JAIR 2002), by imbalanced-learn. Neighbors are found among the mean
features of the items. The inputs of the trainable part are interpolated frame by frame, so that only the pairs are kept in memory, and
every recipe with a frozen backbone can use SMOTE. ``two_phase.py`` calls this module for heads of frames, ``clip_training.py`` for heads of
clips.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE

from realframe.data.batches import Gather
from realframe.errors import TooFewItemsError
from realframe.media.frame_sampling import sample_evenly

_NEIGHBORS = 5


@dataclass(frozen=True)
class SyntheticItem:
    """A synthetic item: ``share`` of the way from the item at position ``base`` to that at position ``neighbor``."""

    base: int
    neighbor: int
    share: float


def make_synthetic_items(means: np.ndarray, fake: np.ndarray, seed: int) -> list[SyntheticItem]:
    """Return as many synthetic items as the smaller class lacks.

    Args:
        means: mean features of the training items, (n, width).
        fake: their labels, bool (n,).
        seed: seed of the random draws.

    Raises:
        TooFewItemsError: the smaller class has a single item.
    """
    counts = int((~fake).sum()), int(fake.sum())
    if counts[0] == counts[1]:
        return []
    smaller = np.flatnonzero(fake == (counts[1] < counts[0]))
    if len(smaller) < 2:
        raise TooFewItemsError("balance.method: smote", "the smaller class has fewer than two training items", "Add items of this class.")
    smote = _RecordingSmote(random_state=seed, k_neighbors=min(_NEIGHBORS, len(smaller) - 1))
    smote.fit_resample(means, fake)
    draws = zip(*smote.draws_, strict=True)
    return [SyntheticItem(int(smaller[base]), int(smaller[neighbor]), float(share)) for base, neighbor, share in draws]


def add_synthetic_frames(frames: pd.DataFrame, items: list[SyntheticItem]) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Append rows for the frames of synthetic items to a frame table, and return how these frames are interpolated.

    A synthetic item has as many frames as the shorter of its two items, evenly spaced in both, and the weight of its base.

    Args:
        frames: rows of ``build_frame_table``, whole items in order.
        items: synthetic items, with positions among the items in that order.

    Returns:
        The table; for each of its rows the two rows of ``frames`` that it lies between, int64 (rows, 2); and its share, float32 (rows,).
    """
    item_rows = [np.asarray(rows) for rows in frames.groupby("media_id", sort=False).indices.values()]
    rows = np.tile(np.arange(len(frames))[:, None], (1, 2))
    shares, tables = np.zeros(len(frames), np.float32), [frames]
    for item in items:
        base, neighbor = item_rows[item.base], item_rows[item.neighbor]
        count = min(len(base), len(neighbor))
        pairs = np.array([sample_evenly(base.tolist(), count), sample_evenly(neighbor.tolist(), count)], np.int64).T
        rows, shares = np.concatenate([rows, pairs]), np.concatenate([shares, np.full(count, item.share, np.float32)])
        tables.append(frames.iloc[pairs[:, 0]].assign(weight=frames["weight"].iloc[base].sum() / count))
    return pd.concat(tables, ignore_index=True), rows, shares


def interpolate_inputs(gather: Gather, rows: np.ndarray, shares: np.ndarray) -> Gather:
    """Return a gather for the table of :func:`add_synthetic_frames`, on top of a gather for the real frames."""

    def gather_interpolated(table_rows: np.ndarray, views: np.ndarray) -> np.ndarray:
        values = gather(rows[table_rows, 0], views)
        synthetic = np.flatnonzero(shares[table_rows])
        if len(synthetic):
            neighbors = gather(rows[table_rows[synthetic], 1], views[synthetic])
            share = shares[table_rows[synthetic]].reshape(-1, *[1] * (values.ndim - 1))
            values[synthetic] += share * (neighbors - values[synthetic])
        return values

    return gather_interpolated


class _RecordingSmote(SMOTE):
    """Records the position of each synthetic sample, which imbalanced-learn computes but does not return."""

    def _generate_samples(self, X: Any, nn_data: Any, nn_num: Any, rows: Any, cols: Any, steps: Any, *rest: Any) -> Any:  # noqa: N803
        self.draws_ = (rows, nn_num[rows, cols], steps[:, 0])
        return super()._generate_samples(X, nn_data, nn_num, rows, cols, steps, *rest)
