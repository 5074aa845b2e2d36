"""Turn the score of an item into a calibrated probability, a verdict and a 95 % interval, by the rule of the item's kind.

The rules come from the evaluation: the stage ``evaluate`` fits them (``realframe.evaluation.verdict_fit``) and writes them with the
threshold to ``reports/metrics.json``; registration stores both with the version (``realframe.registry.model_logging``);
``realframe.detection.loaded_model`` reads them into the :class:`VerdictRule`. A kind on which the detector is not shown to be competent
gets no verdict but ``uncertain``, unless a reviewer decided in the ledger that it is judged all the same.

The interval is a percentile bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Two things are resampled:
the scored frames of the file, and the sources to whose left-out items the calibration was fitted. So the interval covers that other
frames of the file might have been sampled, and that other sources would have given another calibration. An image is one frame, and a clip
that is scored as a whole has one score: for those only the calibration is resampled.

The interval does not cover that another training of the network would give other scores, or that the frames of one shot are alike, so
that it is too narrow rather than too wide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from realframe.errors import RegistryError
from realframe.evaluation.verdict_fit import KindRule
from realframe.models.aggregate import Aggregate, aggregate_scores
from realframe.statistics import bootstrap
from realframe.statistics.calibration import PlattScaling
from realframe.statistics.conformal import UncertaintyBand, Verdict
from realframe.store.detection_documents import Abstention, ProbabilityInterval

_DRAWS = 1000  # of the frames; each resampled calibration is used for several of them


@dataclass(frozen=True)
class KindVerdicts:
    """How items of one kind get their probability and their verdict.

    Attributes:
        rule: the calibration and the band of the kind.
        resamples: the calibration on resampled sources; empty where there are too few for an interval.
        abstention: why every verdict is ``uncertain``; None where the kind is judged.
        override: why a reviewer lets the kind be judged although the detector is not shown to be competent; empty where none does.
        overridden: the abstention that the reviewer overrides; None where there is none.
    """

    rule: KindRule
    resamples: tuple[PlattScaling, ...] = ()
    abstention: Abstention | None = None
    override: str = ""
    overridden: Abstention | None = None

    @classmethod
    def from_figures(cls, figures: Mapping[str, Any], override: str) -> Self:
        """Read them from ``verdict.<kind>`` of ``metrics.json``. Raises KeyError."""
        competence, parameters = figures["competence"], figures["resamples"]
        abstention = None if competence["is_competent"] else Abstention(code=competence["code"], reason=competence["reason"])
        resamples = tuple(PlattScaling(*pair) for pair in zip(parameters["slope"], parameters["intercept"], strict=True))
        rule = KindRule.from_figures(figures)
        return cls(rule, resamples, None, override, abstention) if abstention and override else cls(rule, resamples, abstention)

    def find_verdict(self, probability: float) -> Verdict:
        """Return the verdict for a calibrated probability."""
        return "uncertain" if self.abstention else self.rule.band.verdict(probability)


@dataclass(frozen=True)
class VerdictRule:
    """How the score of an item becomes a verdict, as the evaluation found it.

    Attributes:
        threshold: an item with this score or a higher one counts as fake where there are only two classes.
        kinds: the kinds of the training.
    """

    threshold: float
    kinds: Mapping[str, KindVerdicts]

    @classmethod
    def from_evaluation(
        cls, evaluation: Mapping[str, Any], subject: object, judged_kinds: Mapping[str, str] = MappingProxyType({})
    ) -> Self:
        """Read the rule from the figures of an evaluation.

        Args:
            evaluation: ``threshold`` and ``verdict`` as in ``metrics.json``.
            subject: what an error is about.
            judged_kinds: kinds that a reviewer decided to judge without a proof of competence, with the reason.

        Raises:
            RegistryError: the figures have no rule per kind, because an older version of realframe wrote them.
        """
        try:
            kinds = {
                name: KindVerdicts.from_figures(figures, judged_kinds.get(name, "")) for name, figures in evaluation["verdict"].items()
            }
            return cls(float(evaluation["threshold"]), kinds)
        except KeyError as error:
            reason = "was evaluated by an older version of realframe, without a rule for the verdict on each kind"
            raise RegistryError(subject, reason, "Train a new version: `realframe run`.") from error

    def for_kind(self, kind: str) -> KindVerdicts:
        """Return the rule of a kind; without verdicts where the training had no items of it."""
        if kind in self.kinds:
            return self.kinds[kind]
        reason = f"This detector gives no verdict on {kind}s: it was trained without any, so how often it is wrong on them is not known."
        nothing = KindRule(PlattScaling(1.0, 0.0), UncertaintyBand(0.0, 1.0, 1.0))
        return KindVerdicts(nothing, abstention=Abstention(code="too-few-sources", reason=reason))


def compute_interval(
    probability: float,
    score: float,
    frame_scores: NDArray[np.float64] | None,
    aggregate: Aggregate,
    resamples: Sequence[PlattScaling],
    seed: int,
) -> ProbabilityInterval | None:
    """Return the 95 % interval of a probability, which always contains the probability; None without resamples.

    Args:
        probability: of the file, calibrated.
        score: of the file, not calibrated.
        frame_scores: of the file, (N,); None where the clip is scored as a whole.
        aggregate: how the scores of frames become the score of an item.
        resamples: the calibration on resampled sources.
        seed: of the random numbers; the same file gets the same interval.
    """
    if not resamples:
        return None
    scores = np.full(_DRAWS, score)
    if frame_scores is not None and len(frame_scores) > 1:
        scores = _resample_frames(frame_scores, aggregate, seed)
    draws = [scaling.apply(scores[index :: len(resamples)]) for index, scaling in enumerate(resamples)]
    low, high = bootstrap.percentile_bounds(np.concatenate(draws))
    return ProbabilityInterval(low=min(low, probability), high=max(high, probability))


def _resample_frames(frame_scores: NDArray[np.float64], aggregate: Aggregate, seed: int) -> NDArray[np.float64]:
    rows = np.random.default_rng(seed).integers(len(frame_scores), size=(_DRAWS, len(frame_scores)))
    return np.array([aggregate_scores(resample, aggregate) for resample in frame_scores[rows]])
