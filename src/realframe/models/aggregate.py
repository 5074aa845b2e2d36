"""Aggregate frame scores into the score of a media item, identically in evaluation and serving."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Aggregate = Literal["mean", "median", "top_k", "confident"]

TOP_K = 5
"""Frames that ``top_k`` averages: few enough for a clip that is fake for a few seconds (by default one frame is sampled per second), and
enough that a single outlier is a fifth of the score."""

# Seferbekov's rule; see _confident
_SURE_FAKE, _SURE_REAL = 0.8, 0.2
_LEAST_FAKE_SHARE, _LEAST_REAL_SHARE = 1 / 2.5, 0.9
_LEAST_FAKE_FRAMES = 11


def aggregate_scores(scores: Sequence[float] | NDArray[np.floating], method: Aggregate) -> float:
    """Return the score of one item, in [0, 1], within the range of its frames' scores. The order of the frames does not matter.

    Args:
        scores: its frames' probabilities of ``fake``, (frames,), in [0, 1], at least one.
        method: ``mean``; ``median``, which is robust to outliers; ``top_k``, the mean of the 5 highest scores (of all where there are
            fewer), which finds a clip that is partly fake; or ``confident``, the mean of the frames that are surely fake or surely real
            where enough of them agree, else of all: the rule of the winner of the DeepFake Detection Challenge.
    """
    ranked = np.sort(np.asarray(scores, dtype=np.float64))  # sums of floats depend on their order
    return float(
        np.clip(_METHODS[method](ranked), ranked[0], ranked[-1])
    )  # rounding can leave the range: the mean of three 0.1 is above 0.1


def aggregate_by_item(frames: pd.DataFrame, method: Aggregate, columns: Sequence[str] = ("score", "baseline_score")) -> pd.DataFrame:
    """Aggregate a table of frames into one row per item, sorted by ``media_id``.

    Args:
        frames: rows with ``media_id``, the score ``columns``, and facts that are equal for all frames of an item.
        method: how the scores of an item are aggregated.
        columns: the score columns.
    """
    facts = frames.drop(columns=[*columns, "index"], errors="ignore").drop_duplicates("media_id").set_index("media_id")
    grouped = frames.groupby("media_id", sort=True)
    scores = pd.DataFrame({column: grouped[column].agg(lambda values: aggregate_scores(values.to_numpy(), method)) for column in columns})
    return facts.join(scores).sort_index().reset_index()


def _top_k(ranked: NDArray[np.float64]) -> np.floating:
    return np.mean(ranked[-TOP_K:])


def _confident(ranked: NDArray[np.float64]) -> np.floating:
    """Seferbekov's ``confident_strategy`` (2020; github.com/selimsef/dfdc_deepfake_challenge), which won the DeepFake Detection Challenge.

    Where more than 1/2.5 of the frames, and more than 11, are above 0.8, the score is the mean of those. Else, where more than 90 % are
    below 0.2, the mean of those. Else the mean of all.

    It differs from the original for short clips. The original samples 32 frames per clip, and its count of 11 guards against clips with few
    detected faces. With that count a clip of 11 frames could never be surely fake, and many clips are shorter. So below 22 frames the count
    is half of the frames: more than half must be surely fake. From 22 frames on the rule is the original. It uses frames where the original
    uses the faces in them.
    """
    fake, real = ranked > _SURE_FAKE, ranked < _SURE_REAL
    if np.mean(fake) > _LEAST_FAKE_SHARE and np.count_nonzero(fake) > min(_LEAST_FAKE_FRAMES, len(ranked) / 2):
        return np.mean(ranked[fake])
    if np.mean(real) > _LEAST_REAL_SHARE:
        return np.mean(ranked[real])
    return np.mean(ranked)


_METHODS: dict[Aggregate, Callable[[NDArray[np.float64]], np.floating]] = {
    "mean": np.mean,
    "median": np.median,
    "top_k": _top_k,
    "confident": _confident,
}
