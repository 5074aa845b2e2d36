"""Turn the score of an item into a calibrated probability, a verdict and a 95 % interval.

The temperature comes from the evaluation: the stage ``evaluate`` fits it on the validation items
(``realframe.evaluation.calibration_fit``) and writes it with the threshold and the band to ``reports/metrics.json``; registration stores
the three with the version (``realframe.registry.model_logging``); ``realframe.detection.loaded_model`` reads them into the
:class:`VerdictRule` by which the detector calibrates each score.

The interval is a percentile bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Two things are resampled:
the scored frames of the file, and the validation items on which the temperature was fitted (by clusters and within each class, as
everywhere). So the interval covers that other frames of the file might have been sampled, and that the calibration rests on a limited
number of items. An image is one frame, and a clip that is scored as a whole has one score: for those only the calibration is resampled.

The interval does not cover a generator, a camera or an editing step that the training has not seen, which matters most where it applies.
Nor does it cover that another training of the network would give other scores, or that the frames of one shot are alike, so that it is
too narrow rather than too wide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.detection.cautions import TrainingDomain
from realframe.errors import RegistryError
from realframe.models.aggregate import Aggregate, aggregate_scores
from realframe.statistics import bootstrap, calibration
from realframe.statistics.conformal import UncertaintyBand
from realframe.store.detection_documents import ProbabilityInterval

TEMPERATURES = 200
"""Resamples of the validation items."""
_DRAWS = 1000  # of the frames; each temperature is used for several of them


@dataclass(frozen=True)
class VerdictRule:
    """How the score of an item becomes a verdict, as the evaluation found it on the validation items.

    Attributes:
        threshold: an item with this score or a higher one counts as fake where there are only two classes.
        temperature: divides the logit of a score to give the calibrated probability.
        band: the probabilities whose verdict is ``uncertain``.
    """

    threshold: float
    temperature: float
    band: UncertaintyBand

    @classmethod
    def from_evaluation(cls, evaluation: Mapping[str, Any], subject: object) -> Self:
        """Read the rule from the figures of an evaluation.

        Args:
            evaluation: ``threshold``, ``temperature`` and ``band`` as in ``metrics.json``.
            subject: what an error is about.

        Raises:
            RegistryError: the figures have no band, because an older version of realframe wrote them.
        """
        try:
            band = UncertaintyBand(*(float(evaluation["band"][name]) for name in ("low", "high", "error")))
            return cls(float(evaluation["threshold"]), float(evaluation["temperature"]), band)
        except KeyError as error:
            reason = "was evaluated by an older version of realframe, without the verdict `uncertain`"
            raise RegistryError(subject, reason, "Train a new version: `realframe run`.") from error

    def probability(self, score: float) -> float:
        """Return the calibrated probability of ``fake`` for a score."""
        return float(calibration.apply_temperature(np.array(score, np.float64), self.temperature))


@dataclass(frozen=True)
class TrainingReference:
    """The training reference of a version: temperatures and feature domain.

    Attributes:
        temperatures: of resampled validation items, (n,); empty where there are too few items.
        domain: where the features of the training items lie; None where there are too few items.
    """

    temperatures: NDArray[np.float64]
    domain: TrainingDomain | None

    @classmethod
    def read(cls, reference: Path, splits: Path) -> Self:
        """Read ``reports/training_reference.parquet`` and ``data/splits.parquet``; an empty reference where one of them is missing."""
        if not (reference.exists() and splits.exists()):
            return cls(np.zeros(0), None)
        table = pd.read_parquet(reference)
        clusters = pd.read_parquet(splits, columns=["media_id", "cluster"]).set_index("media_id")["cluster"]
        val = table[table["split"] == "val"]
        return cls(fit_temperatures(val.assign(cluster=val["media_id"].map(clusters))), TrainingDomain.from_reference(table))


def fit_temperatures(val: pd.DataFrame) -> NDArray[np.float64]:
    """Return the temperatures of 200 resamples of the validation items, (200,); (0,) where a class has too few clusters for an interval.

    Args:
        val: ``label``, ``score`` and ``cluster`` of the validation items.
    """
    fake, scores = (val["label"] == "fake").to_numpy(), val["score"].to_numpy(np.float64)
    if not len(val) or bootstrap.count_minority_clusters(val["cluster"], fake) < bootstrap.MIN_CLUSTERS:
        return np.zeros(0)
    draws = bootstrap.draw_resamples(val["cluster"], fake, TEMPERATURES, seed=0)
    resamples = (np.repeat(np.arange(len(val)), times) for times in draws.counts[:, draws.row_clusters].astype(np.int64))
    return np.array([calibration.fit_temperature(fake[rows], scores[rows]) for rows in resamples])


def compute_interval(
    probability: float,
    score: float,
    frame_scores: NDArray[np.float64] | None,
    aggregate: Aggregate,
    temperatures: NDArray[np.float64],
    seed: int,
) -> ProbabilityInterval | None:
    """Return the 95 % interval of a probability, which always contains the probability; None without temperatures.

    Args:
        probability: of the file, calibrated.
        score: of the file, not calibrated.
        frame_scores: of the file, (N,); None where the clip is scored as a whole.
        aggregate: how the scores of frames become the score of an item.
        temperatures: as :func:`fit_temperatures` returns them.
        seed: of the random numbers; the same file gets the same interval.
    """
    if not len(temperatures):
        return None
    scores = np.full(_DRAWS, score)
    if frame_scores is not None and len(frame_scores) > 1:
        scores = _resample_frames(frame_scores, aggregate, seed)
    draws = [scores[index :: len(temperatures)] for index in range(len(temperatures))]
    probabilities = [calibration.apply_temperature(draw, float(temperature)) for draw, temperature in zip(draws, temperatures, strict=True)]
    low, high = bootstrap.percentile_bounds(np.concatenate(probabilities))
    return ProbabilityInterval(low=min(low, probability), high=max(high, probability))


def _resample_frames(frame_scores: NDArray[np.float64], aggregate: Aggregate, seed: int) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).integers(len(frame_scores), size=(_DRAWS, len(frame_scores)))
    return np.array([aggregate_scores(resample, aggregate) for resample in frame_scores[rows]])
