"""Fit how a score becomes a verdict, per kind: the probability, the band of uncertain verdicts, and whether the kind is judged at all.

Where the folds by source give a statement about a kind, its rule is fitted on the items that these folds left out
(``reports/cross_source.parquet``, rows of train and val), so that the stated error is one for sources and generators that the training
has not seen. Other kinds have a rule from the validation items, and no verdict.

The stage ``evaluate`` writes the rules to ``reports/metrics.json`` as ``verdict``; registration stores them with the version
(``realframe.registry.model_logging``); ``realframe.detection.confidence`` reads them from it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.data import manifest, source_groups
from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.statistics import bootstrap, calibration, conformal
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.calibration import PlattScaling
from realframe.statistics.classification_metrics import PROBABILITY_METRICS, compute_probability_metrics
from realframe.statistics.conformal import UncertaintyBand
from realframe.statistics.source_weights import LABELS, WeightsByItem

CROSS_SOURCE, VALIDATION = "cross-source", "validation"
_VERDICTS = ("real", "uncertain", "ai-generated")
_WRONG_VERDICT = {"real": "ai-generated", "fake": "real"}
_RESAMPLES = 200
_FITTING_SPLITS = ("train", "val")  # the test split stays locked
_DIGITS = 6


@dataclass(frozen=True)
class KindRule:
    """How the score of an item of one kind becomes a probability and, by the band, a verdict.

    Attributes:
        calibration: turns scores into probabilities.
        band: the probabilities whose verdict is ``uncertain``.
    """

    calibration: PlattScaling
    band: UncertaintyBand

    @classmethod
    def fit(cls, is_fake: Bools, scores: Floats, error: float, weights: WeightsByItem) -> Self:
        """Fit both to scored items; ``error`` is the share of each class that may get a wrong verdict."""
        fitted = calibration.fit_platt_scaling(is_fake, scores, weights)
        return cls(fitted, conformal.fit_band(is_fake, fitted.apply(scores), error, weights))

    @classmethod
    def from_figures(cls, figures: Mapping[str, Any]) -> Self:
        """Read the rule of a kind from ``verdict.<kind>`` of ``metrics.json``. Raises KeyError."""
        band = UncertaintyBand(*(float(figures["band"][name]) for name in ("low", "high", "error")))
        return cls(PlattScaling(float(figures["slope"]), float(figures["intercept"])), band)

    def find_verdicts(self, scores: Floats) -> NDArray[np.str_]:
        """Return the verdict for each score, (n,)."""
        return np.array([self.band.verdict(probability) for probability in self.calibration.apply(scores)])


@dataclass(frozen=True)
class _FittingItems:
    """The items of one kind to which its rule is fitted.

    Attributes:
        rows: with ``label``, ``score``, ``source``, ``generator`` and, of items that a fold left out, ``fold``.
        is_cross_source: whether folds left the items out; else they are validation items.
        column: of the scores.
    """

    rows: pd.DataFrame
    is_cross_source: bool
    column: str

    @property
    def is_fake(self) -> Bools:
        return (self.rows["label"] == "fake").to_numpy()

    @property
    def scores(self) -> Floats:
        return self.rows[self.column].to_numpy(np.float64)

    @property
    def weights(self) -> WeightsByItem:
        if not self.is_cross_source:
            return WeightsByItem.equal(self.is_fake)
        return WeightsByItem.by_source(self.is_fake, self.rows["source"].to_numpy(), self.rows["generator"].to_numpy())

    def select(self, mask: Bools) -> "_FittingItems":
        return _FittingItems(self.rows[mask].reset_index(drop=True), self.is_cross_source, self.column)

    def fit(self, error: float) -> KindRule:
        return KindRule.fit(self.is_fake, self.scores, error, self.weights)


def fit_verdicts(
    val: ScoredRows,
    column: str,
    splits: pd.DataFrame,
    cross_source: tuple[pd.DataFrame | None, Figures | None],
    *,
    error: float,
    auc_limit: float,
) -> Figures:
    """Return ``verdict`` of ``metrics.json``: of each kind of the dataset its rule, whether it is judged, and the measured error.

    Args:
        val: the validation items.
        column: their score column.
        splits: the rows of ``splits.parquet``.
        cross_source: the rows of ``reports/cross_source.parquet``, and the part ``cross_source`` of ``metrics.json``; None where there
            are no folds by source.
        error: share of each class whose verdict may be wrong.
        auc_limit: a kind whose ROC-AUC on unseen sources may be lower is not judged.
    """
    table, figures = cross_source
    statements = (figures or {}).get("kinds", {})
    verdict = {}
    for kind in sorted(splits["kind"].unique()):
        statement, dataset = statements.get(kind) or {}, splits[splits["kind"] == kind]
        items = _select_items(val, column, kind, table if statement and "too_few" not in statement else None)
        rule = items.fit(error)
        verdict[kind] = {
            **asdict(rule.calibration),
            "fitted_on": CROSS_SOURCE if items.is_cross_source else VALIDATION,
            "items": {label: int((items.rows["label"] == label).sum()) for label in LABELS},
            "sources": source_groups.count_sources(items.rows, kind),
            "band": {**asdict(rule.band), "requested_error": error},
            "competence": _find_competence(kind, statement, dataset, auc_limit),
            "measured": _measure_without_fold(items, error, val) if items.is_cross_source else None,
            "resamples": _resample_calibration(items, val.seed),
        }
    return verdict


def calibrate_by_kind(table: pd.DataFrame, scores: Floats, verdict: Mapping[str, Figures]) -> Floats:
    """Return the probability of each item by the rule of its kind, (n,).

    Args:
        table: items with ``kind``.
        scores: of the items, (n,).
        verdict: result of :func:`fit_verdicts`.
    """
    probabilities = np.full(len(table), np.nan)
    for kind, figures in verdict.items():
        rows = (table["kind"] == kind).to_numpy()
        probabilities[rows] = KindRule.from_figures(figures).calibration.apply(scores[rows])
    return probabilities


def compute_calibration_figures(test: ScoredRows, column: str, verdict: Mapping[str, Figures]) -> Figures:
    """Return ``calibration`` and ``verdicts`` of ``metrics.json``: the rule of each kind on the test items, also of kinds without verdict.

    Args:
        test: the test items.
        column: the score column.
        verdict: result of :func:`fit_verdicts`.
    """
    raw = test.scores(column)
    calibrated = calibrate_by_kind(test.table, raw, verdict)
    verdicts = np.full(len(raw), "uncertain", dtype=object)
    for kind, figures in verdict.items():
        rows = (test.table["kind"] == kind).to_numpy()
        verdicts[rows] = KindRule.from_figures(figures).find_verdicts(raw[rows])
    return {
        "calibration": {"before": _reliability_figures(test, column, raw), "after": _reliability_figures(test, column, calibrated)},
        "verdicts": _verdict_figures(test, verdicts),
    }


def _select_items(val: ScoredRows, column: str, kind: str, cross_source: pd.DataFrame | None) -> _FittingItems:
    if cross_source is not None:
        rows = cross_source[(cross_source["kind"] == kind) & cross_source["split"].isin(_FITTING_SPLITS)]
        if rows["label"].nunique() == len(LABELS):
            return _FittingItems(rows.reset_index(drop=True), is_cross_source=True, column="score")
    rows = val.table[val.table["kind"] == kind]
    return _FittingItems(rows.reset_index(drop=True), is_cross_source=False, column=column)


def _find_competence(kind: str, statement: Figures, dataset: pd.DataFrame, limit: float) -> Figures:
    """Return whether verdicts are given on a kind, and why not."""
    roc_auc = statement.get("roc_auc") or {}
    low, start = roc_auc.get("low"), f"This detector gives no verdict on {kind}s:"
    code = reason = ""
    if rendered := int(manifest.find_rendered(dataset).sum()):
        code, part = "rendered-training", "its" if rendered == len(dataset) else f"{rendered:,} of its {len(dataset):,}"
        reason = (
            f"{start} {part} {kind}s for training and test were rendered for a demonstration, so it knows nothing of real cameras and "
            "real generators."
        )
    elif low is None:
        missing = statement.get("too_few", f"It was measured on too few sources of {kind}s, or not at all.")
        code, reason = "too-few-sources", f"{start} how often it is wrong on {kind}s from a new source is not known. {missing}"
    elif low < limit:
        code = "low-roc-auc"
        reason = (
            f"{start} on {kind}s from sources that it did not know it could not tell real from AI-generated well enough. Of pairs of a "
            f"real and an AI-generated one it ranked {roc_auc['value']:.0%} correctly, and it may be only {low:.0%}; {limit:.0%} are "
            "required, and guessing gives 50%."
        )
    return {"is_competent": not code, "code": code, "reason": reason, "roc_auc_low": low, "limit": limit}


def _measure_without_fold(items: _FittingItems, error: float, val: ScoredRows) -> Figures:
    """Apply the rule fitted without each fold to the items of that fold: ``wrong`` and ``coverage`` by class, and ``ece``.

    Figures are those of an item of a source drawn at random, like the stated error: each class and source counts equally. Intervals come
    from resampled sources.
    """
    folds, verdicts = items.rows["fold"].to_numpy(), np.full(len(items.rows), "uncertain", dtype=object)
    probabilities = np.full(len(items.rows), np.nan)
    for fold in np.unique(folds):
        own = folds == fold
        rule = items.select(~own).fit(error)
        verdicts[own], probabilities[own] = rule.find_verdicts(items.scores[own]), rule.calibration.apply(items.scores[own])
    draws = bootstrap.draw_resamples(items.rows["source"], items.is_fake, val.resample_count, val.seed)
    wrong, coverage = {}, {}
    for label in LABELS:
        of_class = items.is_fake == (label == "fake")
        weights = np.where(of_class, items.weights.values, 0.0)
        wrong[label] = _weighted_share(verdicts == _WRONG_VERDICT[label], weights, items, draws)
        coverage[label] = _weighted_share(verdicts != "uncertain", weights, items, draws)

    def compute_ece(weights: Floats) -> Floats:
        return compute_probability_metrics(items.is_fake, probabilities, weights * items.weights.values)["ece"]

    resampled = np.concatenate([compute_ece(block) for block in draws.iter_row_weights()])
    value = float(compute_ece(np.ones((1, len(verdicts))))[0])
    ece = bootstrap.percentile_interval(value, resampled, min(items.weights.units.values())).as_dict()
    return {"wrong": wrong, "coverage": coverage, "ece": ece}


def _weighted_share(successes: Bools, weights: Floats, items: _FittingItems, draws: bootstrap.Resamples) -> Figures:
    resampled = np.concatenate([(block * weights) @ successes / (block @ weights) for block in draws.iter_row_weights()])
    sources = int(items.rows["source"][weights > 0].nunique())
    return bootstrap.percentile_interval(float(weights @ successes), resampled, sources).as_dict()


def _resample_calibration(items: _FittingItems, seed: int) -> dict[str, list[float]]:
    """Return the parameters of the calibration on 200 resamples of sources, or of clusters of validation items; none of too few."""
    is_fake, units = items.is_fake, items.rows["source" if items.is_cross_source else "cluster"]
    if is_fake.all() or not is_fake.any():
        return {"slope": [], "intercept": []}
    if not items.is_cross_source and bootstrap.count_minority_clusters(units, is_fake) < bootstrap.MIN_CLUSTERS:
        return {"slope": [], "intercept": []}
    draws, weights, scores, fitted = bootstrap.draw_resamples(units, is_fake, _RESAMPLES, seed), items.weights, items.scores, []
    for counts in draws.counts[:, draws.row_clusters]:
        values = weights.values * counts
        for of_class in (is_fake, ~is_fake):
            values[of_class] /= values[of_class].sum()
        fitted.append(calibration.fit_platt_scaling(is_fake, scores, WeightsByItem(values, weights.units)))
    return {name: [round(getattr(one, name), _DIGITS) for one in fitted] for name in ("slope", "intercept")}


def _reliability_figures(test: ScoredRows, column: str, probabilities: Floats) -> Figures:
    metrics = test.compute_metrics(column, 0.5, probabilities)
    bins = [asdict(entry) for entry in calibration.reliability_bins(test.is_fake, probabilities)]
    return {name: metrics[name] for name in PROBABILITY_METRICS} | {"bins": bins}


def _verdict_figures(test: ScoredRows, verdicts: NDArray[np.object_]) -> Figures:
    """Count each verdict per class; return also the share of uncertain items and the share of each class with the wrong verdict."""
    classes: dict[str, Bools] = {"real": ~test.is_fake, "fake": test.is_fake}
    counts = {label: {verdict: int((verdicts[rows] == verdict).sum()) for verdict in _VERDICTS} for label, rows in classes.items()}
    wrong = {label: test.compute_share(verdicts == _WRONG_VERDICT[label], rows) for label, rows in classes.items()}
    return {**counts, "uncertain": test.compute_share(verdicts == "uncertain", np.ones_like(test.is_fake)), "wrong": wrong}
