"""From frame scores to the score of a media item, the same for evaluation and for serving."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Aggregate = Literal["mean", "median", "top_k", "confident"]

TOP = 5
"""Frames that ``top_k`` looks at: few enough for a clip that is fake for a few seconds only (one frame is sampled per second unless
``extract.sampling`` says otherwise), enough that a single odd frame is but a fifth of the score."""

# of Seferbekov's rule; see _confident
_SURELY_FAKE, _SURELY_REAL = 0.8, 0.2
_ENOUGH_FAKE, _ENOUGH_REAL = 1 / 2.5, 0.9
_FEW = 11


def item_score(scores: Sequence[float] | NDArray[np.floating], how: Aggregate) -> float:
    """Return the score of one item, in [0, 1] and never outside the range of its frames' scores; their order does not matter.

    Args:
        scores: its frames' probabilities of ``fake``, (frames,), in [0, 1], at least one.
        how: ``mean``; ``median``, which a few odd frames can't move; ``top_k``, the mean of the 5 highest scores (of all where there
            are fewer), which finds a clip that is fake in part; or ``confident``, the mean of the frames that are surely fake or surely
            real where enough of them agree, else of all: the rule of the winner of the DeepFake Detection Challenge.
    """
    ranked = np.sort(np.asarray(scores, dtype=np.float64))  # sums of floats depend on their order
    return float(np.clip(_HOW[how](ranked), ranked[0], ranked[-1]))  # rounding can step out: the mean of three 0.1 is above 0.1


def item_table(frames: pd.DataFrame, how: Aggregate, columns: Sequence[str] = ("score", "baseline_score")) -> pd.DataFrame:
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


def _top_k(ranked: NDArray[np.float64]) -> np.floating:
    return np.mean(ranked[-TOP:])


def _confident(ranked: NDArray[np.float64]) -> np.floating:
    """Seferbekov's ``confident_strategy`` (2020; github.com/selimsef/dfdc_deepfake_challenge), which won the DeepFake Detection Challenge.

    Where more than 1/2.5 of the frames, and more than 11, are above 0.8, the score is the mean of those. Else, where more than 90 % are
    below 0.2, the mean of those. Else the mean of all.

    It differs from the original in short clips. There 32 frames were sampled of each, and the count of 11 only guards against clips in
    which few faces were found; taken as it is, a clip of 11 frames could never be surely fake, and here many clips are shorter. So below
    22 frames the count is half of the frames: more than half must be surely fake, and one frame of two or two of four decide nothing.
    From 22 frames on the rule is the original. It takes frames, where the original takes the faces in them.
    """
    fake, real = ranked > _SURELY_FAKE, ranked < _SURELY_REAL
    if np.mean(fake) > _ENOUGH_FAKE and np.count_nonzero(fake) > min(_FEW, len(ranked) / 2):
        return np.mean(ranked[fake])
    if np.mean(real) > _ENOUGH_REAL:
        return np.mean(ranked[real])
    return np.mean(ranked)


_HOW: dict[Aggregate, Callable[[NDArray[np.float64]], np.floating]] = {
    "mean": np.mean,
    "median": np.median,
    "top_k": _top_k,
    "confident": _confident,
}
