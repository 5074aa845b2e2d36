"""Define the columns of the score tables that a run writes below ``reports/``, and measure their rows.

Each metric has a bootstrap interval over clusters.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from realframe.statistics import bootstrap
from realframe.statistics.arrays import Bools, Floats, divide_safe
from realframe.statistics.bootstrap import Resamples
from realframe.statistics.classification_metrics import METRICS, compute_metrics, count_confusion
from realframe.statistics.hypothesis_tests import ModelScores, paired_difference

_ITEM = ("media_id", "label", "kind")
PREDICTIONS = pa.schema(
    {
        **dict.fromkeys((*_ITEM, "generator", "source", "cluster", "split"), pa.string()),
        "index": pa.int64(),
        "score": pa.float64(),
        "baseline_score": pa.float64(),
    }
)
CROSS_SOURCE = pa.schema(
    {
        **dict.fromkeys((*_ITEM, "generator", "source", "cluster", "split"), pa.string()),
        "fold": pa.int64(),
        "score": pa.float64(),
    }
)
"""One row per item that a fold left out; ``source`` is ``unknown`` where the dataset names none. The score is not calibrated."""
HELD_OUT = pa.schema({**dict.fromkeys(("held_out", "split", *_ITEM, "generator", "source", "cluster"), pa.string()), "score": pa.float64()})
ROBUSTNESS = pa.schema({**dict.fromkeys((*_ITEM, "cluster", "perturbation"), pa.string()), "level": pa.float64(), "score": pa.float64()})
TRAINING_REFERENCE = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64(), "features": pa.list_(pa.float32())})
REGRESSION = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64(), "reason": pa.string()})
Figures = dict[str, Any]
"""A part of ``reports/metrics.json``. A metric is a dict of ``value``, ``low`` and ``high``."""


@dataclass(frozen=True)
class ScoredRows:
    """The scored items or frames of one split, or of a part of it.

    Attributes:
        table: rows with ``label``, ``cluster`` and the score columns.
        resample_count: number of bootstrap resamples of an interval.
        seed: seed of the resamples.
    """

    table: pd.DataFrame
    resample_count: int
    seed: int

    @cached_property
    def is_fake(self) -> Bools:
        """True class of each row, (n,)."""
        return (self.table["label"] == "fake").to_numpy()

    @cached_property
    def resamples(self) -> Resamples:
        """The resamples. They are the same for every score column, so differences are paired."""
        return bootstrap.draw_resamples(self.table["cluster"], self.is_fake, self.resample_count, self.seed)

    @cached_property
    def minority_clusters(self) -> int:
        """Number of clusters that contain the smaller class."""
        return bootstrap.count_minority_clusters(self.table["cluster"], self.is_fake)

    @property
    def class_counts(self) -> dict[str, int]:
        """Number of rows of each class."""
        return {"real": int((~self.is_fake).sum()), "fake": int(self.is_fake.sum())}

    def scores(self, column: str) -> Floats:
        """Return a score column, (n,)."""
        return self.table[column].to_numpy(np.float64)

    def select(self, rows: Bools) -> "ScoredRows":
        """Return the rows where the mask ``rows``, (n,), is true."""
        return replace(self, table=self.table[rows].reset_index(drop=True))

    def compute_metrics(self, column: str, threshold: float, probabilities: Floats | None = None) -> Figures:
        """Return each metric with its interval, the confusion matrix and, if there are no intervals, the reason.

        Args:
            column: the score column.
            threshold: scores from here on are called fake.
            probabilities: probabilities for log loss, Brier score and ECE, (n,); default: the scores.
        """
        values = compute_metrics(self.is_fake, self.scores(column), threshold, None, probabilities)
        resampled = compute_metrics(self.is_fake, self.scores(column), threshold, self.resamples, probabilities)
        metrics: Figures = {
            m: bootstrap.percentile_interval(float(values[m][0]), resampled[m], self.minority_clusters).as_dict() for m in METRICS
        }
        return metrics | {"confusion": count_confusion(self.is_fake, self.scores(column), threshold)} | self.missing_interval_note()

    def compute_share(self, successes: Bools, population: Bools) -> Figures:
        """Return the share of ``successes`` among the rows of ``population``, with its interval; both are masks (n,)."""
        value = float(successes[population].mean()) if population.any() else np.nan
        resampled = np.concatenate(
            [divide_safe(block @ (successes & population), block @ population) for block in self.resamples.iter_row_weights()]
        )
        return bootstrap.percentile_interval(value, resampled, int(self.table["cluster"][population].nunique())).as_dict()

    def metric_difference(self, a: ModelScores, b: ModelScores, metric: str) -> Figures:
        """Return a metric of ``a`` minus that of ``b`` on these rows, with an interval from paired resamples."""
        return paired_difference(self.is_fake, self.table["cluster"], a, b, metric, self.resample_count, self.seed).as_dict()

    def missing_interval_note(self) -> dict[str, str]:
        """Return ``too_few``: a sentence that says why there is no interval. Empty if there is one."""
        if self.minority_clusters >= bootstrap.MIN_CLUSTERS:
            return {}
        counts = " and ".join(f"{number} {label}" for label, number in self.class_counts.items())
        return {"too_few": f"Only {counts}: too few independent items (fewer than {bootstrap.MIN_CLUSTERS} of a class) for an interval."}
