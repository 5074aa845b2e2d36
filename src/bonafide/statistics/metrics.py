"""All figures of merit, for many weightings of the same items at once.

A bootstrap resample is nothing but a weight per cluster of items, the number of times that it was drawn, so that all resamples cost
a few matrix products instead of a loop. The positive class is ``fake``. The definitions are scikit-learn's, and the tests hold
them against it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bonafide.statistics import at_threshold, probability, ranking
from bonafide.statistics.arrays import Bools, Floats, Ints

METRICS = (*ranking.NAMES, *at_threshold.NAMES, *probability.NAMES)
_BLOCK = 8_000_000  # weights held at once, 64 MB


@dataclass(frozen=True)
class Draws:
    """Resamples of clusters.

    Attributes:
        times: (resamples, clusters), how often each was drawn.
        cluster: (n,) the column of each row in ``times``.
    """

    times: Floats
    cluster: Ints

    def blocks(self) -> Iterator[Floats]:
        """Yield the weights of the rows, (some resamples, n) at a time, in bounded memory."""
        step = max(1, _BLOCK // max(1, len(self.cluster)))
        for start in range(0, len(self.times), step):
            yield self.times[start : start + step, self.cluster]


def figures(
    fake: Bools, scores: Floats, threshold: float, draws: Draws | None = None, probabilities: Floats | None = None
) -> dict[str, Floats]:
    """Return every figure of ``METRICS``, each of shape (resamples,); NaN where it needs both classes and one is missing.

    Args:
        fake: (n,) truth.
        scores: (n,) what ranks the items and is held against the threshold.
        threshold: a score at or above it is called fake.
        draws: resamples; without them the figures are those of the rows as they are, of shape (1,).
        probabilities: (n,) of ``fake``, for the figures of probabilities; without them the scores are taken for probabilities.
    """
    blocks = draws.blocks() if draws else [np.ones((1, len(fake)))]
    sure = scores if probabilities is None else probabilities
    parts = [
        ranking.figures(fake, scores, block)
        | at_threshold.figures(fake, scores >= threshold, block)
        | probability.figures(fake, sure, block)
        for block in blocks
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in METRICS}
