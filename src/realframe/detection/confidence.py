"""By which rule a score becomes a verdict.

The 95 % interval of a file's probability, by the bootstrap.

Percentile method: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Two things are drawn anew: the frames that were
looked at, and the validation items on which the temperature was fitted (as everywhere, by clusters and within each class). So the interval
covers that other frames of this file might have been looked at, and that the calibration rests on so many items and no more.

It does not cover what matters most where it applies: a generator, a camera or an editing step that the training has not seen. Nor does it
cover that another training of the network would have come out a little different, or that frames of one shot are alike, which makes it
rather too narrow than too wide. An image is one frame, and a clip that is scored as a whole is one score: of those the calibration alone
is drawn anew.

What the evaluation left of a version's training and validation items, for the interval and the domain of its answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.detection.cautions import Domain
from realframe.errors import RegistryError
from realframe.models.aggregate import Aggregate, item_score
from realframe.statistics import bootstrap, calibration
from realframe.statistics.conformal import Band
from realframe.store.detection_documents import Interval


@dataclass(frozen=True)
class VerdictRule:
    """How an item's score becomes a verdict, as the evaluation found it on validation items.

    Attributes:
        threshold: from which score on an item is called fake where there are but two words.
        temperature: what makes a probability of a score.
        band: of probabilities in which no verdict is given.
    """

    threshold: float
    temperature: float
    band: Band

    @classmethod
    def of(cls, facts: Mapping[str, Any], thing: object) -> Self:
        """Take it out of what an evaluation left. Raises RegistryError, about ``thing``, where that was before verdicts had three words."""
        try:
            band = Band(*(float(facts["band"][name]) for name in ("low", "high", "error")))
            return cls(float(facts["threshold"]), float(facts["temperature"]), band)
        except KeyError as error:
            reason = "was evaluated by a realframe whose verdicts had no `uncertain`"
            raise RegistryError(thing, reason, "Train it anew with this realframe: `realframe run`.") from error

    def probability(self, score: float) -> float:
        """Return the calibrated probability of ``fake`` that a score stands for."""
        return float(calibration.apply(np.array(score, np.float64), self.temperature))


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


@dataclass(frozen=True)
class TrainingReference:
    """What an answer is held against.

    Attributes:
        temperatures: those of resampled validation items, (n,); none where there are too few.
        domain: where the training items lie; None where there is nothing to say it by.
    """

    temperatures: NDArray[np.float64]
    domain: Domain | None

    @classmethod
    def read(cls, reference: Path, splits: Path) -> Self:
        """Read it from ``reports/reference.parquet`` and ``data/splits.parquet``; where one is missing, nothing can be said."""
        if not (reference.exists() and splits.exists()):
            return cls(np.zeros(0), None)
        table = pd.read_parquet(reference)
        clusters = pd.read_parquet(splits, columns=["media_id", "cluster"]).set_index("media_id")["cluster"]
        val = table[table["split"] == "val"]
        return cls(temperatures(val.assign(cluster=val["media_id"].map(clusters))), Domain.of(table))
