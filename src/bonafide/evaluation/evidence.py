"""Puts the figures together: the detector beside its floor and the majority class, each with its interval, at both levels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bonafide.models.aggregate import Aggregate, item_table
from bonafide.statistics import bootstrap, threshold
from bonafide.statistics.metrics import METRICS, Bools, Draws, Floats, confusion, figures

MODEL, FLOOR = "score", "floor_score"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Level:
    """The scored rows of one split: its items, or its frames.

    Attributes:
        table: rows with ``label``, ``cluster`` and the score columns.
        resamples: how many resamples stand behind an interval.
        seed: of the resamples.
    """

    table: pd.DataFrame
    resamples: int
    seed: int

    @cached_property
    def fake(self) -> Bools:
        """The truth, (n,)."""
        return (self.table["label"] == "fake").to_numpy()

    @cached_property
    def draws(self) -> Draws:
        """The resamples, the same for every column, so that differences are paired."""
        return bootstrap.draw(self.table["cluster"], self.fake, self.resamples, self.seed)

    @cached_property
    def clusters(self) -> int:
        """How many clusters hold the rarer class."""
        return bootstrap.smaller_class(self.table["cluster"], self.fake)

    @property
    def counts(self) -> dict[str, int]:
        """Rows per class."""
        return {"real": int((~self.fake).sum()), "fake": int(self.fake.sum())}

    def scores(self, column: str) -> Floats:
        """Return a score column, (n,)."""
        return self.table[column].to_numpy(np.float64)

    def figures(self, column: str, at: float) -> Figures:
        """Return each figure with its interval, the confusion matrix and, where an interval is missing, why."""
        values = figures(self.fake, self.scores(column), at)
        drawn = figures(self.fake, self.scores(column), at, self.draws)
        summary: Figures = {m: bootstrap.interval(float(values[m][0]), drawn[m], self.clusters).as_dict() for m in METRICS}
        return summary | {"confusion": confusion(self.fake, self.scores(column), at)} | self.too_few()

    def gap(self) -> Figures:
        """Return the ROC-AUC of the detector less that of the floor, paired over the same resamples."""
        both = [figures(self.fake, self.scores(column), 0.5) for column in (MODEL, FLOOR)]
        value = float(both[0]["roc_auc"][0] - both[1]["roc_auc"][0])
        if self.clusters < bootstrap.MIN_CLUSTERS:
            return bootstrap.Interval(value, np.nan, np.nan).as_dict()
        drawn = [figures(self.fake, self.scores(column), 0.5, self.draws)["roc_auc"] for column in (MODEL, FLOOR)]
        return bootstrap.Interval(value, *bootstrap.percentiles(drawn[0] - drawn[1])).as_dict()

    def too_few(self) -> dict[str, str]:
        """Return why there is no interval, in a sentence; nothing where there is one."""
        if self.clusters >= bootstrap.MIN_CLUSTERS:
            return {}
        counts = " and ".join(f"{number} {label}" for label, number in self.counts.items())
        return {"too_few": f"Only {counts}: too few independent items (fewer than {bootstrap.MIN_CLUSTERS} of a class) for an interval."}


def assemble(
    predictions: pd.DataFrame, splits: pd.DataFrame, how: Aggregate, resamples: int, seed: int, *, per_frame: bool = True
) -> Figures:
    """Return the content of ``reports/metrics.json`` that follows from the scores. The threshold comes from validation items alone.

    Args:
        predictions: the rows of ``reports/predictions.parquet``.
        splits: the rows of ``splits.parquet``, for the majority class of the training split.
        how: from frame scores to an item's score.
        resamples: of the intervals.
        seed: of the resamples.
        per_frame: the rows are frames; else they are clips, scored as a whole, and there are no figures of frames.
    """
    by_split = {split: predictions[predictions["split"] == split].reset_index(drop=True) for split in ("val", "test")}
    levels = {split: {"item": Level(item_table(frames, how), resamples, seed)} for split, frames in by_split.items()}
    if per_frame:
        levels = {split: {**both, "frame": Level(by_split[split], resamples, seed)} for split, both in levels.items()}
    val, test = levels["val"]["item"], levels["test"]["item"]
    at = {column: threshold.choose(val.fake, val.scores(column)) for column in (MODEL, FLOOR)}

    def all_figures(column: str) -> Figures:
        return {split: {name: level.figures(column, at[column]) for name, level in both.items()} for split, both in levels.items()}

    gap = test.gap()
    return {
        "threshold": at[MODEL],
        "aggregate": how,
        "per_frame": per_frame,
        **all_figures(MODEL),
        "floor": {"threshold": at[FLOOR], **all_figures(FLOOR)},
        "majority": _majority(splits, levels),
        "gap_to_floor": gap,
        "below_floor": bool((gap["value"] or 0.0) < 0),
        "per_kind": {kind: _slice(test, (test.table["kind"] == kind).to_numpy(), at) for kind in sorted(test.table["kind"].unique())},
        "per_generator": _per_generator(test, at[MODEL]),
        "counts": _counts(splits, levels),
    }


def _slice(level: Level, chosen: Bools, at: dict[str, float]) -> Figures:
    part = Level(level.table[chosen].reset_index(drop=True), level.resamples, level.seed)
    if part.clusters < bootstrap.MIN_CLUSTERS:
        return {"counts": part.counts, **part.too_few()}
    return {"counts": part.counts, "model": part.figures(MODEL, at[MODEL]), "floor": part.figures(FLOOR, at[FLOOR])}


def _per_generator(test: Level, at: float) -> Figures:
    """The share of each generator's items that is found, and how well they are ranked above the real items of the same kinds."""
    found: Figures = {}
    for generator, items in test.table[test.fake].groupby(test.table["generator"].replace("", "unknown")):
        rivals = test.table[~test.fake & test.table["kind"].isin(items["kind"].unique())]
        part = Level(pd.concat([items, rivals], ignore_index=True), test.resamples, test.seed)
        summary = part.figures(MODEL, at)
        row: Figures = {"items": len(items), "recall": summary["recall"], "roc_auc": summary["roc_auc"]}
        if "too_few" in summary:
            row = {"items": len(items), "found": summary["confusion"]["fake_called_fake"], "too_few": summary["too_few"]}
        found[str(generator)] = row
    return found


def _majority(splits: pd.DataFrame, levels: dict[str, dict[str, Level]]) -> Figures:
    """What always naming the training split's larger class gives; it ranks nothing, so its ROC-AUC is 0.5."""
    labels = splits.loc[splits["split"] == "train", "label"]
    fake = bool((labels == "fake").mean() >= 0.5)

    def constant(level: Level) -> Figures:
        values = figures(level.fake, np.full(len(level.fake), float(fake)), 0.5)
        return {name: {"value": float(value[0])} for name, value in values.items()}

    by_split = {split: {name: constant(level) for name, level in both.items()} for split, both in levels.items()}
    return {"label": "fake" if fake else "real", **by_split}


def _counts(splits: pd.DataFrame, levels: dict[str, dict[str, Level]]) -> Figures:
    train = splits.loc[splits["split"] == "train", "label"]
    counts: Figures = {"train": {"item": {label: int((train == label).sum()) for label in ("real", "fake")}}}
    return counts | {split: {name: level.counts for name, level in both.items()} for split, both in levels.items()}
