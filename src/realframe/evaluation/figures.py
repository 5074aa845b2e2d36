"""Puts the figures together: the detector beside its baseline and the majority class, each with its interval, at both levels."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from realframe.evaluation import calibration_fit, regression_set, slices, unseen_generators
from realframe.evaluation import robustness as robustness_module
from realframe.evaluation.score_tables import Figures, Level
from realframe.models.aggregate import Aggregate, item_table
from realframe.statistics import bootstrap, calibration, classification_metrics
from realframe.statistics.arrays import Bools
from realframe.statistics.classification_metrics import all_metrics
from realframe.statistics.hypothesis_tests import PairedScores

MODEL, BASELINE = "score", "baseline_score"
Levels = dict[str, dict[str, Level]]


@dataclass(frozen=True)
class Tables:
    """What the figures are computed from; what was not measured is None, or has no rows.

    Attributes:
        predictions: the rows of ``reports/predictions.parquet``.
        splits: the rows of ``splits.parquet``.
        quality: the rows of ``quality.parquet``.
        shortcuts: the content of ``data/shortcuts.json``.
        held_out: the rows of ``reports/held_out.parquet``.
        robustness: the rows of ``reports/robustness.parquet``.
        regression: the rows of ``reports/regression.parquet``.
    """

    predictions: pd.DataFrame
    splits: pd.DataFrame
    quality: pd.DataFrame
    shortcuts: Mapping[str, Any]
    held_out: pd.DataFrame | None = None
    robustness: pd.DataFrame | None = None
    regression: pd.DataFrame | None = None


def assemble(tables: Tables, how: Aggregate, *, resamples: int, error: float, seed: int, per_frame: bool = True) -> Figures:
    """Return the content of ``reports/metrics.json`` that follows from the tables.

    Threshold, temperature and band come from validation items alone. The figures of probabilities (log loss, ECE, Brier) of items are
    those of calibrated probabilities, those of frames of the raw scores; all others are of the raw scores.

    Args:
        tables: the inputs.
        how: from frame scores to an item's score.
        resamples: of the intervals.
        error: the share of each class that a verdict other than ``uncertain`` may get wrong.
        seed: of the resamples.
        per_frame: the rows are frames; else they are clips, scored as a whole, and there are no figures of frames.
    """
    levels = _levels(tables.predictions, how, resamples, seed, per_frame)
    val, test = levels["val"]["item"], levels["test"]["item"]
    at = {column: classification_metrics.choose_threshold(val.fake, val.scores(column)) for column in (MODEL, BASELINE)}
    temperature = {column: calibration.fit(val.fake, val.scores(column)) for column in (MODEL, BASELINE)}
    model, baseline = (PairedScores(test.scores(column), at[column]) for column in (MODEL, BASELINE))
    gap = test.less(model, baseline, "roc_auc")
    sliced = slices.dimensions(test.table, tables.splits, tables.quality)
    return {
        "threshold": at[MODEL],
        "aggregate": how,
        "per_frame": per_frame,
        "test_split": digest_of_test_split(tables.splits),
        "shortcuts": {mark: bool(tables.shortcuts.get(mark)) for mark in ("passed", "allowed")},
        **_figures(levels, MODEL, at[MODEL], temperature[MODEL]),
        "baseline": {
            "threshold": at[BASELINE],
            "temperature": temperature[BASELINE],
            **_figures(levels, BASELINE, at[BASELINE], temperature[BASELINE]),
        },
        "majority": _majority(tables.splits, levels),
        "gap_to_baseline": gap,
        "below_baseline": bool((gap["value"] or 0.0) < 0),
        **calibration_fit.measure(val, test, MODEL, temperature[MODEL], error),
        "per_kind": {kind: _kind(test, (test.table["kind"] == kind).to_numpy(), at) for kind in sorted(test.table["kind"].unique())},
        "slices": slices.measure(test, sliced, MODEL, at[MODEL]),
        "held_out": unseen_generators.measure(tables.held_out, test.table, resamples, seed),
        "robustness": robustness_module.robustness_figures(tables.robustness, at[MODEL], resamples, seed),
        "regression": regression_set.measure(tables.regression, at[MODEL]),
        "counts": _counts(tables.splits, levels),
    }


def digest_of_test_split(splits: pd.DataFrame) -> str:
    """Return the 12 hex digits that name a test split: a SHA-256 over the sorted ids of its items.

    Args:
        splits: the rows of ``splits.parquet``.
    """
    media_ids = sorted(splits.loc[splits["split"] == "test", "media_id"])
    return hashlib.sha256("\n".join(media_ids).encode()).hexdigest()[:12]


def _levels(predictions: pd.DataFrame, how: Aggregate, resamples: int, seed: int, per_frame: bool) -> Levels:
    by_split = {split: predictions[predictions["split"] == split].reset_index(drop=True) for split in ("val", "test")}
    levels = {split: {"item": Level(item_table(frames, how), resamples, seed)} for split, frames in by_split.items()}
    if per_frame:
        levels = {split: {**both, "frame": Level(by_split[split], resamples, seed)} for split, both in levels.items()}
    return levels


def _figures(levels: Levels, column: str, at: float, temperature: float) -> Figures:
    """The figures of each split and level; a temperature is fitted to items, and is only theirs."""

    def of(name: str, level: Level) -> Figures:
        calibrated = calibration.apply(level.scores(column), temperature) if name == "item" else None
        return level.figures(column, at, calibrated)

    return {split: {name: of(name, level) for name, level in both.items()} for split, both in levels.items()}


def _kind(test: Level, chosen: Bools, at: dict[str, float]) -> Figures:
    part = test.part(chosen)
    if part.clusters < bootstrap.MIN_CLUSTERS:
        return {"counts": part.counts, **part.too_few()}
    return {"counts": part.counts, "model": part.figures(MODEL, at[MODEL]), "baseline": part.figures(BASELINE, at[BASELINE])}


def _majority(splits: pd.DataFrame, levels: Levels) -> Figures:
    """What always naming the training split's larger class gives, with that split's share of fake as the probability.

    It ranks nothing, so its ROC-AUC is 0.5.
    """
    share = float((splits.loc[splits["split"] == "train", "label"] == "fake").mean())

    def constant(level: Level) -> Figures:
        values = all_metrics(level.fake, np.full(len(level.fake), share), 0.5)
        return {name: {"value": float(value[0])} for name, value in values.items()}

    by_split = {split: {name: constant(level) for name, level in both.items()} for split, both in levels.items()}
    return {"label": "fake" if share >= 0.5 else "real", **by_split}


def _counts(splits: pd.DataFrame, levels: Levels) -> Figures:
    train = splits.loc[splits["split"] == "train", "label"]
    counts: Figures = {"train": {"item": {label: int((train == label).sum()) for label in ("real", "fake")}}}
    return counts | {split: {name: level.counts for name, level in both.items()} for split, both in levels.items()}
