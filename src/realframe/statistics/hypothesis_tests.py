"""Test whether one of two models is better on the same items, and correct the p-values of several tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from realframe.statistics import bootstrap
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.bootstrap import Interval
from realframe.statistics.classification_metrics import compute_metrics


@dataclass(frozen=True)
class ModelScores:
    """The scores of one model on the items.

    Attributes:
        scores: (n,) probabilities of ``fake``.
        threshold: of the model; a score at or above it is predicted fake.
    """

    scores: Floats
    threshold: float

    def find_errors(self, is_fake: Bools) -> Bools:
        """Return which items the model classifies wrongly, (n,).

        Args:
            is_fake: (n,) true labels.
        """
        return (self.scores >= self.threshold) != is_fake


@dataclass(frozen=True)
class McNemarResult:
    """The result of McNemar's test: which of two models makes more errors.

    Attributes:
        only_a: number of items that only the first model classifies wrongly.
        only_b: number of items that only the second classifies wrongly.
        p_value: two-sided probability of counts at least as uneven if both models are equally good.
    """

    only_a: int
    only_b: int
    p_value: float


def mcnemar_test(wrong_a: Bools, wrong_b: Bools) -> McNemarResult:
    """Run McNemar's exact test (Psychometrika 12, 1947): does each model have half of the errors that only one of them makes?

    It treats items as independent; ``paired_difference`` respects clusters.

    Args:
        wrong_a: (n,) which items the first model classifies wrongly.
        wrong_b: (n,) which of the same items the second classifies wrongly.
    """
    only_a, only_b = int((wrong_a & ~wrong_b).sum()), int((wrong_b & ~wrong_a).sum())
    disagreements = only_a + only_b
    return McNemarResult(only_a, only_b, float(binomtest(only_a, disagreements).pvalue) if disagreements else 1.0)


def paired_difference(
    is_fake: Bools, clusters: "pd.Series[str]", a: ModelScores, b: ModelScores, metric: str, resamples: int, seed: int
) -> Interval:
    """Return a metric of ``a`` minus that of ``b`` on the same items, with the interval over the same resamples of clusters.

    Args:
        is_fake: (n,) true labels.
        clusters: (n,) the cluster of each item.
        a: the first model's scores.
        b: the second model's scores.
        metric: a name in ``classification_metrics.METRICS``.
        resamples: number of resamples; below ``bootstrap.MIN_CLUSTERS`` clusters of a class there is no interval.
        seed: of the resamples.
    """
    value = float(np.subtract(*(compute_metrics(is_fake, model.scores, model.threshold)[metric][0] for model in (a, b))))
    if bootstrap.count_minority_clusters(clusters, is_fake) < bootstrap.MIN_CLUSTERS:
        return Interval(value, np.nan, np.nan)
    draws = bootstrap.draw_resamples(clusters, is_fake, resamples, seed)
    resampled = [compute_metrics(is_fake, model.scores, model.threshold, draws)[metric] for model in (a, b)]
    return Interval(value, *bootstrap.percentile_bounds(resampled[0] - resampled[1]))


def holm_adjust(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values (Scandinavian Journal of Statistics 6, 1979), in the order of the arguments.

    If each is compared with a level, the probability of any false alarm is at most that level, however the tests depend on each other.

    Args:
        p_values: of the tests.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(factors * np.asarray(p_values, np.float64)[order]), 1.0)
    return [float(adjusted[position]) for position in np.argsort(order)]
