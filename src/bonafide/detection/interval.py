"""The 95 % interval of a file's probability, by the bootstrap.

Percentile method: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Two things are drawn anew: the frames that were
looked at, and the validation items on which the temperature was fitted (as everywhere, by clusters and within each class). So the interval
covers that other frames of this file might have been looked at, and that the calibration rests on so many items and no more.

It does not cover what matters most where it applies: a generator, a camera or an editing step that the training has not seen. Nor does it
cover that another training of the network would have come out a little different, or that frames of one shot are alike, which makes it
rather too narrow than too wide. An image is one frame, and a clip that is scored as a whole is one score: of those the calibration alone
is drawn anew.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonafide.metadata.detections import Interval
from bonafide.models.aggregate import Aggregate, item_score
from bonafide.statistics import bootstrap, calibration

TEMPERATURES = 200
_DRAWS = 1000  # of frames; the temperatures go round


def temperatures(val: pd.DataFrame) -> NDArray[np.float64]:
    """Return the temperature of each of 200 resamples of the validation items; none where a class has too few clusters for an interval.

    Args:
        val: ``label``, ``score`` and ``cluster`` of the validation items.
    """
    fake, scores = (val["label"] == "fake").to_numpy(), val["score"].to_numpy(np.float64)
    if not len(val) or bootstrap.smaller_class(val["cluster"], fake) < bootstrap.MIN_CLUSTERS:
        return np.zeros(0)
    draws = bootstrap.draw(val["cluster"], fake, TEMPERATURES, seed=0)
    drawn = (np.repeat(np.arange(len(val)), times) for times in draws.times[:, draws.cluster].astype(np.int64))
    return np.array([calibration.fit(fake[rows], scores[rows]) for rows in drawn])


def interval_of(
    probability: float, score: float, frames: NDArray[np.float64] | None, how: Aggregate, fitted: NDArray[np.float64], seed: int
) -> Interval | None:
    """Return the interval of a file's probability, which always holds the probability itself; None without temperatures.

    Args:
        probability: calibrated, of the file.
        score: of the file, not calibrated.
        frames: the score of each frame that was looked at, (N,); None where the clip is scored as a whole.
        how: how the scores of frames become that of an item.
        fitted: what :func:`temperatures` returned.
        seed: of the random numbers, so that the same file gets the same interval.
    """
    if not len(fitted):
        return None
    scores = np.full(_DRAWS, score) if frames is None or len(frames) == 1 else _redrawn(frames, how, seed)
    drawn = [calibration.apply(scores[place :: len(fitted)], float(temperature)) for place, temperature in enumerate(fitted)]
    low, high = bootstrap.percentiles(np.concatenate(drawn))
    return Interval(low=min(low, probability), high=max(high, probability))


def _redrawn(frames: NDArray[np.float64], how: Aggregate, seed: int) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).integers(len(frames), size=(_DRAWS, len(frames)))
    return np.array([item_score(drawn, how) for drawn in frames[rows]])
