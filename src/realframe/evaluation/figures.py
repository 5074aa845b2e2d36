"""Compute the evaluation figures, the content of ``reports/metrics.json``.

The detector, its baseline and the majority class are measured per item and per frame, each metric with its interval.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from realframe.data import manifest
from realframe.evaluation import regression_set, slices, source_figures, unseen_generators, verdict_fit
from realframe.evaluation import robustness as robustness_module
from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.models.aggregate import Aggregate, aggregate_by_item
from realframe.statistics import bootstrap, calibration, classification_metrics
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.classification_metrics import compute_metrics
from realframe.statistics.hypothesis_tests import ModelScores

MODEL_SCORE, BASELINE_SCORE = "score", "baseline_score"
RowsBySplit = dict[str, dict[str, ScoredRows]]
"""The scored rows by split (``val``, ``test``) and unit (``item``, ``frame``)."""


@dataclass(frozen=True)
class EvaluationTables:
    """The tables that the figures are computed from. A table that was not measured is None or has no rows.

    Attributes:
        predictions: the rows of ``reports/predictions.parquet``.
        splits: the rows of ``splits.parquet``.
        quality: the rows of ``quality.parquet``.
        shortcuts: the content of ``data/shortcuts.json``.
        held_out: the rows of ``reports/held_out.parquet``.
        cross_source: the rows of ``reports/cross_source.parquet``.
        features: the mean vector of frozen features (``mean``) of each item (``media_id``).
        robustness: the rows of ``reports/robustness.parquet``.
        regression: the rows of ``reports/regression.parquet``.
    """

    predictions: pd.DataFrame
    splits: pd.DataFrame
    quality: pd.DataFrame
    shortcuts: Mapping[str, Any]
    held_out: pd.DataFrame | None = None
    cross_source: pd.DataFrame | None = None
    features: pd.DataFrame | None = None
    robustness: pd.DataFrame | None = None
    regression: pd.DataFrame | None = None


def compute_figures(
    tables: EvaluationTables, aggregate: Aggregate, *, resamples: int, error: float, auc_limit: float, seed: int, per_frame: bool = True
) -> Figures:
    """Compute the part of ``reports/metrics.json`` that follows from the tables.

    The threshold is fitted on the validation items only; ``verdict_fit`` says what the calibration and the band are fitted on. Log loss,
    ECE and Brier score of items use calibrated probabilities, those of frames raw scores. All other metrics use raw scores.

    Args:
        tables: the input tables.
        aggregate: turns frame scores into the score of an item.
        resamples: number of bootstrap resamples of an interval.
        error: share of each class whose verdict may be wrong; ``uncertain`` is never wrong.
        auc_limit: a kind whose ROC-AUC on unseen sources may be lower gets no verdict.
        seed: seed of the resamples.
        per_frame: whether the predictions are frames. Otherwise they are clips, and there are no figures of frames.
    """
    rows_by_split = _group_rows(tables.predictions, aggregate, resamples, seed, per_frame)
    val, test = rows_by_split["val"]["item"], rows_by_split["test"]["item"]
    thresholds = {
        column: classification_metrics.choose_threshold(val.is_fake, val.scores(column)) for column in (MODEL_SCORE, BASELINE_SCORE)
    }
    cross_source = source_figures.compute_cross_source_figures(tables.cross_source, tables.splits, tables.features, resamples, seed)
    verdict = verdict_fit.fit_verdicts(
        val, MODEL_SCORE, tables.splits, (tables.cross_source, cross_source), error=error, auc_limit=auc_limit
    )
    source_figures.add_right_alarms(cross_source, verdict)
    scaling = calibration.fit_platt_scaling(val.is_fake, val.scores(BASELINE_SCORE))
    model, baseline = (ModelScores(test.scores(column), thresholds[column]) for column in (MODEL_SCORE, BASELINE_SCORE))
    gap = test.metric_difference(model, baseline, "roc_auc")
    slice_names = slices.assign_slices(test.table, tables.splits, tables.quality)
    return {
        "threshold": thresholds[MODEL_SCORE],
        "aggregate": aggregate,
        "per_frame": per_frame,
        "test_split": manifest.compute_test_split_digest(tables.splits),
        "shortcuts": {mark: bool(tables.shortcuts.get(mark)) for mark in ("passed", "allowed")},
        **_metrics_by_split(
            rows_by_split, MODEL_SCORE, thresholds[MODEL_SCORE], lambda table, scores: verdict_fit.calibrate_by_kind(table, scores, verdict)
        ),
        "baseline": {
            "threshold": thresholds[BASELINE_SCORE],
            **asdict(scaling),
            **_metrics_by_split(rows_by_split, BASELINE_SCORE, thresholds[BASELINE_SCORE], lambda _, scores: scaling.apply(scores)),
        },
        "majority": _majority_figures(tables.splits, rows_by_split),
        "gap_to_baseline": gap,
        "below_baseline": bool((gap["value"] or 0.0) < 0),
        "verdict": verdict,
        **verdict_fit.compute_calibration_figures(test, MODEL_SCORE, verdict),
        "per_kind": {
            kind: _kind_figures(test, (test.table["kind"] == kind).to_numpy(), thresholds) for kind in sorted(test.table["kind"].unique())
        },
        "slices": slices.compute_slice_figures(test, slice_names, MODEL_SCORE, thresholds[MODEL_SCORE]),
        "cross_source": cross_source,
        "held_out": unseen_generators.compute_unseen_figures(tables.held_out, test.table, resamples, seed),
        "robustness": robustness_module.compute_robustness_figures(tables.robustness, thresholds[MODEL_SCORE], resamples, seed),
        "regression": regression_set.compute_regression_figures(tables.regression, thresholds[MODEL_SCORE]),
        "counts": _count_items(tables.splits, rows_by_split),
    }


def _group_rows(predictions: pd.DataFrame, aggregate: Aggregate, resamples: int, seed: int, per_frame: bool) -> RowsBySplit:
    by_split = {split: predictions[predictions["split"] == split].reset_index(drop=True) for split in ("val", "test")}
    rows_by_split = {
        split: {"item": ScoredRows(aggregate_by_item(frames, aggregate), resamples, seed)} for split, frames in by_split.items()
    }
    if per_frame:
        rows_by_split = {
            split: {**by_unit, "frame": ScoredRows(by_split[split], resamples, seed)} for split, by_unit in rows_by_split.items()
        }
    return rows_by_split


def _metrics_by_split(
    rows_by_split: RowsBySplit, column: str, threshold: float, calibrate: Callable[[pd.DataFrame, Floats], Floats]
) -> Figures:
    """Compute the metrics of each split and unit. The calibration is fitted to items and applied to items only."""

    def measure(unit: str, rows: ScoredRows) -> Figures:
        calibrated = calibrate(rows.table, rows.scores(column)) if unit == "item" else None
        return rows.compute_metrics(column, threshold, calibrated)

    return {split: {unit: measure(unit, rows) for unit, rows in by_unit.items()} for split, by_unit in rows_by_split.items()}


def _kind_figures(test: ScoredRows, mask: Bools, thresholds: dict[str, float]) -> Figures:
    part = test.select(mask)
    if part.minority_clusters < bootstrap.MIN_CLUSTERS:
        return {"counts": part.class_counts, **part.missing_interval_note()}
    return {
        "counts": part.class_counts,
        "model": part.compute_metrics(MODEL_SCORE, thresholds[MODEL_SCORE]),
        "baseline": part.compute_metrics(BASELINE_SCORE, thresholds[BASELINE_SCORE]),
    }


def _majority_figures(splits: pd.DataFrame, rows_by_split: RowsBySplit) -> Figures:
    """Compute the metrics of a classifier that always predicts the larger class of the training split.

    Its probability is the share of fake items of that split. It ranks nothing, so its ROC-AUC is 0.5.
    """
    share = float((splits.loc[splits["split"] == "train", "label"] == "fake").mean())

    def measure(rows: ScoredRows) -> Figures:
        values = compute_metrics(rows.is_fake, np.full(len(rows.is_fake), share), 0.5)
        return {name: {"value": float(value[0])} for name, value in values.items()}

    by_split = {split: {unit: measure(rows) for unit, rows in by_unit.items()} for split, by_unit in rows_by_split.items()}
    return {"label": "fake" if share >= 0.5 else "real", **by_split}


def _count_items(splits: pd.DataFrame, rows_by_split: RowsBySplit) -> Figures:
    train = splits.loc[splits["split"] == "train", "label"]
    counts: Figures = {"train": {"item": {label: int((train == label).sum()) for label in ("real", "fake")}}}
    return counts | {split: {unit: rows.class_counts for unit, rows in by_unit.items()} for split, by_unit in rows_by_split.items()}
