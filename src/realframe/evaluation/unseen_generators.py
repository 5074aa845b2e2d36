"""Leave-one-generator-out evaluation: build the dataset without one generator, and measure the detector that is trained on it.

Metrics on the generators of the training say little about other generators. For that reason Wang et al., "CNN-generated images are
surprisingly easy to spot... for now" (2020), and Ojha et al., "Towards Universal Fake Image Detectors that Generalize Across Generative
Models" (2023), test across generators.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from realframe.config import BalanceParams
from realframe.data.split import balance_train, renew_validation
from realframe.evaluation import scored_rows
from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.statistics import bootstrap, classification_metrics
from realframe.statistics.arrays import Floats, Ints
from realframe.statistics.bootstrap import Resamples
from realframe.statistics.classification_metrics import compute_metrics

MIN_ITEMS = 5
"""A generator with fewer items is not held out: its metrics would mean nothing."""
_SEEN, _UNSEEN = "seen", "unseen"
_NO_INTERVAL = bootstrap.Interval(np.nan, np.nan, np.nan).as_dict()


@dataclass(frozen=True)
class Fold:
    """The dataset without one generator.

    Attributes:
        generator: the generator that is held out.
        splits: rows as in ``splits.parquet``. ``train`` and ``val`` lack its items and the clusters of its items; where this leaves
            ``val`` without a class, it is chosen anew. ``test`` holds all its items and the real test items of the same kinds.
    """

    generator: str
    splits: pd.DataFrame

    @property
    def skip_reason(self) -> str:
        """Why no detector can be trained and tested on this fold; empty if it can."""
        for split in ("train", "val"):
            if missing := {"real", "fake"} - set(self._rows(split)["label"]):
                return f"{self.generator} is not held out: without its items and their clusters, {split} has no {missing.pop()} item"
        return (
            ""
            if "real" in set(self._rows("test")["label"])
            else f"{self.generator} is not held out: test has no real item of the same kind"
        )

    @property
    def missing_kinds_note(self) -> str:
        """Which kinds have no AI-generated training item in this fold, as a sentence; empty if there are none."""
        made, left = (set(rows.loc[rows["label"] == "fake", "kind"]) for rows in (self._rows("test"), self._rows("train")))
        unseen = " and ".join(f"{kind}s" for kind in sorted(made - left))
        return f"without {self.generator}, no AI-generated {unseen} are left for training; the detector is tested on an unseen kind" * bool(
            unseen
        )

    def _rows(self, split: str) -> pd.DataFrame:
        return self.splits[self.splits["split"] == split]


def list_generators(splits: pd.DataFrame) -> list[str]:
    """Return the generators that can be held out, sorted: those with at least 5 items. A single one gives an empty list."""
    counts = splits.loc[(splits["label"] == "fake") & (splits["generator"] != ""), "generator"].value_counts()
    frequent = sorted(counts.index[counts >= MIN_ITEMS])
    return frequent if len(frequent) > 1 else []


def leave_out_generator(generator: str, splits: pd.DataFrame, balance: BalanceParams, seed: int) -> Fold:
    """Return the dataset without a generator. Its training classes are balanced again with the same method.

    Args:
        generator: one of :func:`list_generators`.
        splits: the rows of ``splits.parquet``.
        balance: the parameters of the balancing.
        seed: decides which items are repeated.
    """
    generator_rows = (splits["generator"] == generator) & (splits["label"] == "fake")
    related = splits["cluster"].isin(splits.loc[generator_rows, "cluster"])
    remaining = splits[splits["split"].isin(["train", "val"]) & ~generator_rows & ~related]
    real = (splits["split"] == "test") & (splits["label"] == "real") & splits["kind"].isin(splits.loc[generator_rows, "kind"])
    test_rows = splits[generator_rows | real].assign(split="test")
    table = pd.concat([renew_validation(remaining, splits, seed), test_rows], ignore_index=True)
    return Fold(generator, balance_train(table, balance, seed))


def build_held_out_rows(fold: Fold, scores: dict[str, float]) -> pd.DataFrame:
    """Build the rows of a fold for ``reports/held_out.parquet``.

    Args:
        fold: the dataset without a generator.
        scores: scores of its val and test items by ``media_id``, from the detector that was trained on its train items.
    """
    scored = fold.splits[fold.splits["split"] != "train"].sort_values(["split", "media_id"], ascending=[False, True])
    return scored.assign(held_out=fold.generator, score=scored["media_id"].map(scores))[scored_rows.HELD_OUT.names].reset_index(drop=True)


def compute_unseen_figures(rows: pd.DataFrame | None, test: pd.DataFrame, resamples: int, seed: int) -> Figures | None:
    """Compute ``held_out`` of ``metrics.json``; None if no generator was held out.

    ``generators``: ROC-AUC and recall of the detector that was trained without the generator, on all items of the generator and the real
    test items. Its ``threshold`` is chosen on its own validation items. ``macro``: mean ROC-AUC over the generators with enough items. A
    resample draws the clusters of all generators together, because they share the real items. ``same_items``: mean ROC-AUC on the test
    split only, of the detector that has ``seen`` the generators and of those that have not (``unseen``), and the ``drop``.

    Args:
        rows: the rows of ``held_out.parquet``, or None.
        test: the test items with the ``score`` of the evaluated detector.
        resamples: number of bootstrap resamples of an interval.
        seed: seed of the resamples.
    """
    if rows is None or rows.empty:
        return None
    val, tested = (rows[rows["split"] == split].reset_index(drop=True) for split in ("val", "test"))
    thresholds = {name: _choose_threshold(part) for name, part in val.groupby("held_out")}
    generators = [_generator_figures(str(name), part, thresholds[name], resamples, seed) for name, part in tested.groupby("held_out")]
    scores = test.set_index("media_id")["score"]
    with_seen = tested.rename(columns={"score": _UNSEEN}).assign(**{_SEEN: tested["media_id"].map(scores)})
    shared = _PooledFolds(with_seen.dropna(subset=_SEEN).reset_index(drop=True), resamples, seed)
    return {
        "generators": generators,
        "macro": _PooledFolds(tested, resamples, seed).mean_roc_auc("score"),
        "same_items": {**{name: shared.mean_roc_auc(name) for name in (_SEEN, _UNSEEN)}, "drop": shared.roc_auc_drop(_SEEN, _UNSEEN)},
    }


def _generator_figures(name: str, part: pd.DataFrame, threshold: float, resamples: int, seed: int) -> Figures:
    scored_rows = ScoredRows(part.reset_index(drop=True), resamples, seed)
    metrics = scored_rows.compute_metrics("score", threshold)
    selected = {metric: metrics[metric] for metric in ("roc_auc", "recall")}
    return {"name": name, **scored_rows.class_counts, "threshold": threshold, **selected, **scored_rows.missing_interval_note()}


class _PooledFolds(ScoredRows):
    """The test rows of all folds. They have ``held_out`` too, and a real item has one row per fold."""

    @cached_property
    def draws(self) -> Resamples:
        """Resamples of the clusters of all folds together. Each contains every generator."""
        return bootstrap.draw_resamples(
            self.table["cluster"], np.where(self.is_fake, self.table["held_out"], ""), self.resample_count, self.seed
        )

    @cached_property
    def rows_by_generator(self) -> dict[str, Ints]:
        """Row positions of each generator with enough clusters of both classes."""
        rows_of = {str(name): np.asarray(rows) for name, rows in self.table.groupby("held_out").indices.items()}
        return {name: rows for name, rows in rows_of.items() if self.count_minority_clusters(rows) >= bootstrap.MIN_CLUSTERS}

    def count_minority_clusters(self, rows: Ints) -> int:
        """Return the number of clusters that contain the smaller class of the rows."""
        return bootstrap.count_minority_clusters(self.table["cluster"].iloc[rows], self.is_fake[rows])

    def mean_roc_aucs(self, column: str, draws: Resamples | None) -> Floats:
        """Return the mean ROC-AUC over the generators per resample, (resamples,); without resamples, of the rows themselves, (1,)."""
        scores = self.scores(column)
        drawn = {
            name: Resamples(draws.counts, draws.row_clusters[rows]) if draws else None for name, rows in self.rows_by_generator.items()
        }
        each = [
            compute_metrics(self.is_fake[rows], scores[rows], 0.5, drawn[name])["roc_auc"] for name, rows in self.rows_by_generator.items()
        ]
        return np.asarray(np.mean(each, axis=0))

    def mean_roc_auc(self, column: str) -> Figures:
        """Return the mean ROC-AUC over the generators with its interval and their names; nulls if there are none."""
        if not self.rows_by_generator:
            return {**_NO_INTERVAL, "generators": []}
        fewest = min(self.count_minority_clusters(rows) for rows in self.rows_by_generator.values())
        interval = bootstrap.percentile_interval(float(self.mean_roc_aucs(column, None)[0]), self.mean_roc_aucs(column, self.draws), fewest)
        return {**interval.as_dict(), "generators": list(self.rows_by_generator)}

    def roc_auc_drop(self, column: str, other: str) -> Figures:
        """Return by how much the mean ROC-AUC of the column ``other`` is lower, with an interval from paired resamples."""
        if not self.rows_by_generator:
            return dict(_NO_INTERVAL)
        value, drawn = (self.mean_roc_aucs(column, draws) - self.mean_roc_aucs(other, draws) for draws in (None, self.draws))
        return bootstrap.Interval(float(value[0]), *bootstrap.percentile_bounds(drawn)).as_dict()


def _choose_threshold(val: pd.DataFrame) -> float:
    return classification_metrics.choose_threshold((val["label"] == "fake").to_numpy(), val["score"].to_numpy(np.float64))
