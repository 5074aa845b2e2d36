"""Two models on the same items: is one better, or was it luck?

Several tests at once: the more are asked, the likelier one of them cries out by luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from realframe.statistics import bootstrap
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.bootstrap import Interval
from realframe.statistics.classification_metrics import all_metrics


@dataclass(frozen=True)
class PairedScores:
    """What one model says of the items.

    Attributes:
        scores: (n,) probabilities of ``fake``.
        threshold: the model's own; a score at or above it is called fake.
    """

    scores: Floats
    threshold: float

    def wrong(self, fake: Bools) -> Bools:
        """Return which items the model gets wrong, (n,), given the truth."""
        return (self.scores >= self.threshold) != fake


@dataclass(frozen=True)
class McNemar:
    """Which of two models makes more mistakes.

    Attributes:
        only_a: items that only the first gets wrong.
        only_b: items that only the second gets wrong.
        p: how probable so uneven a share is where both are equally good, two-sided.
    """

    only_a: int
    only_b: int
    p: float


def mcnemar(wrong_a: Bools, wrong_b: Bools) -> McNemar:
    """Return McNemar's exact test (Psychometrika 12, 1947): of the items that one model alone gets wrong, does each get half?

    It takes items as independent; ``difference`` knows of clusters.

    Args:
        wrong_a: (n,) which items the first model gets wrong.
        wrong_b: (n,) which of the same items the second gets wrong.
    """
    only_a, only_b = int((wrong_a & ~wrong_b).sum()), int((wrong_b & ~wrong_a).sum())
    apart = only_a + only_b
    return McNemar(only_a, only_b, float(binomtest(only_a, apart).pvalue) if apart else 1.0)


def difference(
    fake: Bools, clusters: "pd.Series[str]", a: PairedScores, b: PairedScores, figure: str, resamples: int, seed: int
) -> Interval:
    """Return a figure of ``a`` less that of ``b`` on the same items; the interval takes both from the same resamples of clusters.

    Args:
        fake: (n,) truth.
        clusters: (n,) the cluster of each item.
        a: the first model's scores.
        b: the second's.
        figure: a name of ``realframe.statistics.classification_metrics.METRICS``.
        resamples: how many stand behind the interval; below ``bootstrap.MIN_CLUSTERS`` clusters of a class there is none.
        seed: of the resamples.
    """
    value = float(np.subtract(*(all_metrics(fake, model.scores, model.threshold)[figure][0] for model in (a, b))))
    if bootstrap.smaller_class(clusters, fake) < bootstrap.MIN_CLUSTERS:
        return Interval(value, np.nan, np.nan)
    draws = bootstrap.draw(clusters, fake, resamples, seed)
    drawn = [all_metrics(fake, model.scores, model.threshold, draws)[figure] for model in (a, b)]
    return Interval(value, *bootstrap.percentiles(drawn[0] - drawn[1]))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the adjusted p-values of Holm (Scandinavian Journal of Statistics 6, 1979), in the order given.

    Held against a level each, the chance of any false alarm among them all is at most that level, however they hang together.

    Args:
        p_values: of the tests.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.minimum(np.maximum.accumulate(factors * np.asarray(p_values, np.float64)[order]), 1.0)
    return [float(adjusted[place]) for place in np.argsort(order)]
