"""Measure the detectors that were trained without some sources on the items of these sources: ``cross_source`` of ``metrics.json``.

These figures say what to expect of files from a new source, made by a new generator. Intervals contain the variation between sources and
generators: each resample draws sources, and generators within them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from realframe.data import source_groups
from realframe.evaluation import real_versus_real
from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.statistics import bootstrap, classification_metrics
from realframe.statistics.arrays import Bools, Floats
from realframe.statistics.bootstrap import Interval, Resamples
from realframe.statistics.classification_metrics import DEFAULT_THRESHOLD, compute_ranking_metrics, compute_recalls_at
from realframe.statistics.source_weights import MIN_SOURCES

FALSE_POSITIVE_RATES = (0.05, 0.01)
"""The false-positive rates at which recall is stated."""
FAKE_SHARES = (0.01, 0.1, 0.5)
"""The shares of AI-generated files for which the share of right alarms is stated."""
MIN_ITEMS = 5
"""A source or generator with fewer items is not named as the worst."""
_COVERAGES = np.arange(1, 11) / 10
_UNKNOWN_GENERATOR = "unknown"
_EPSILON = 1e-6  # keeps the log-odds of scores finite
_NO_FIGURE = Interval(np.nan, np.nan, np.nan).as_dict()


def compute_cross_source_figures(
    table: pd.DataFrame | None, splits: pd.DataFrame, features: pd.DataFrame | None, resamples: int, seed: int
) -> Figures | None:
    """Compute ``cross_source`` of ``metrics.json``; None if there is no table. A kind without a statement has ``too_few``, a sentence.

    Args:
        table: the rows of ``reports/cross_source.parquet``, or None.
        splits: the rows of ``splits.parquet``.
        features: ``media_id`` and ``mean`` of each item, its mean vector of frozen features; None if unknown.
        resamples: number of bootstrap resamples of an interval.
        seed: seed of the resamples.
    """
    if table is None:
        return None
    folds = [{"sources": sorted(rows["source"].unique().tolist()), "items": len(rows)} for _, rows in table.groupby("fold") if len(rows)]
    kinds = [str(kind) for kind in sorted(splits["kind"].unique())]
    return {"folds": folds, "kinds": {kind: _kind_figures(table, splits, features, kind, resamples, seed) for kind in kinds}}


def add_right_alarms(figures: Figures | None, verdict: Mapping[str, Figures]) -> None:
    """Add ``right_alarms`` to each kind with a statement, from the verdicts that were measured on the items left out.

    Args:
        figures: result of :func:`compute_cross_source_figures`; changed in place.
        verdict: ``verdict`` of ``metrics.json``.
    """
    for kind, part in (figures or {}).get("kinds", {}).items():
        if "too_few" not in part and kind in verdict:
            part["right_alarms"] = compute_right_alarms(verdict[kind]["measured"], verdict[kind]["items"]["real"])


def compute_right_alarms(measured: Mapping[str, Any] | None, real_items: int) -> dict[str, float | None] | None:
    """Return, for each share of AI-generated files, which share of the verdicts ``ai-generated`` would be right; None if not measured.

    A rate of false alarms below 1 / (n + 2) cannot be shown by n real items, and counts as that (the rule of succession).

    Args:
        measured: ``measured`` of ``verdict.<kind>``: the shares of verdicts (``coverage``) and of ``wrong`` ones of each class.
        real_items: number of real items that it was measured on.
    """
    if not measured or None in (values := [measured[name][label]["value"] for name in ("coverage", "wrong") for label in ("real", "fake")]):
        return None
    _, given, false_alarms, missed = values
    found, false_alarms = max(0.0, given - missed), max(false_alarms, 1 / (real_items + 2))
    return {f"{share:g}": share * found / (share * found + (1 - share) * false_alarms) for share in FAKE_SHARES}


def compute_risk_coverage(is_fake: Bools, is_wrong: Bools, confidence: Floats) -> list[dict[str, float]]:
    """Return the share of wrong answers among the surest items, for ten shares of answered items; both classes count half.

    Args:
        is_fake: (n,) true labels; both classes must occur.
        is_wrong: (n,) whether the answer is wrong.
        confidence: (n,) the higher, the surer. Items of equal confidence are answered together.

    Returns:
        Rows of ``coverage`` and ``wrong``, in ascending order of coverage.
    """
    weights = 0.5 / np.where(is_fake, is_fake.sum(), (~is_fake).sum())
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(confidence[order]) != 0, True])
    answered, wrong = (np.cumsum(values[order])[ends] for values in (weights, weights * is_wrong))
    rows = sorted({int(np.argmax(answered >= coverage - 1e-9)) for coverage in _COVERAGES})
    return [{"coverage": float(answered[row]), "wrong": float(wrong[row] / answered[row])} for row in rows]


def describe_selection(selection: Mapping[str, Any]) -> list[str]:
    """Return, as sentences, what of the training was chosen by its figures on sources that it does not contain, and what could not be.

    Args:
        selection: ``selection`` of ``metrics.json``.
    """
    chosen = "early stopping, the search for hyperparameters and an automatic aggregate"
    of_kinds = {
        column: " and ".join(f"{kind}s" for kind, chosen_by in selection["validation"].items() if chosen_by == column)
        for column in ("source", "cluster")
    }
    sentences = []
    if of_kinds["source"]:
        sentences.append(f"For {of_kinds['source']}, {chosen} went by sources that the training does not contain.")
    if of_kinds["cluster"]:
        reason = "no whole sources could be set aside for validation"
        sentences.append(f"For {of_kinds['cluster']}, {chosen} went by other items of the sources of the training: {reason}.")
    if selection["regularization"] == "source":
        return [*sentences, "The regularization of the linear probe was selected by folds that leave out whole sources."]
    reason = "the training split has fewer than 3 sources of a class"
    return [*sentences, f"The regularization of the linear probe could not be selected by sources: {reason}."]


def _kind_figures(
    table: pd.DataFrame, splits: pd.DataFrame, features: pd.DataFrame | None, kind: str, resamples: int, seed: int
) -> Figures:
    rows = table[table["kind"] == kind].sort_values(["fold", "media_id"], ignore_index=True)
    of_kind = splits[splits["kind"] == kind]
    counts = {label: int((rows["label"] == label).sum()) for label in ("real", "fake")}
    sources = source_groups.count_sources(rows, kind)
    generators = int(rows.loc[(rows["label"] == "fake") & (rows["generator"] != ""), "generator"].nunique())
    figures: Figures = {"items": counts, "sources": sources, "generators": generators}
    real_sources = real_versus_real.compare_real_sources(of_kind, features, seed)
    if min(sources.values()) < MIN_SOURCES:
        reason = source_groups.describe_shortage(of_kind, kind) or _describe_missing_folds(kind)
        return figures | {"too_few": reason, "roc_auc": dict(_NO_FIGURE), "real_versus_real": real_sources, "margin": None}
    measured = _LeftOutItems(rows, resamples, seed)
    value = measured.pooled_roc_auc["value"]
    margin = None if value is None or real_sources["value"] is None else value - real_sources["value"]
    return figures | measured.figures() | {"real_versus_real": real_sources, "margin": margin}


def _describe_missing_folds(kind: str) -> str:
    return (
        f"Too few {kind}s were scored by a detector that was trained without their source: `evaluate.source_folds` is 0, or without "
        "the sources of a fold too little was left for training."
    )


@dataclass(frozen=True)
class _LeftOutItems(ScoredRows):
    """The items of one kind that were left out, rows of ``cross_source.parquet`` sorted by fold."""

    @cached_property
    def item_scores(self) -> Floats:
        return self.scores("score")

    @cached_property
    def draws(self) -> Resamples:
        sources, generators = self.table["source"].to_numpy(), self.table["generator"].to_numpy()
        return bootstrap.draw_nested_resamples(sources, generators, self.is_fake, self.resample_count, self.seed)

    @cached_property
    def log_odds(self) -> Floats:
        """The log-odds of each score above those of the threshold that is best on the other folds' items of train and val, (n,)."""
        folds, is_known = self.table["fold"].to_numpy(), self.table["split"].isin(["train", "val"]).to_numpy()
        thresholds = np.full(len(folds), DEFAULT_THRESHOLD)
        for fold in np.unique(folds):
            others = is_known & (folds != fold)
            thresholds[folds == fold] = classification_metrics.choose_threshold(self.is_fake[others], self.item_scores[others])
        return _log_odds(self.item_scores) - _log_odds(thresholds)

    @property
    def is_called_fake(self) -> Bools:
        return self.log_odds >= 0

    @cached_property
    def pooled_roc_auc(self) -> Figures:
        return self._measure(lambda weights: compute_ranking_metrics(self.is_fake, self.item_scores, weights)["roc_auc"])

    def figures(self) -> Figures:
        """Return the figures of the kind that need its scores."""
        real_sources, generators = self._real_sources(), self._generators()
        return {
            "roc_auc": self.pooled_roc_auc,
            "within_folds": self._within_folds(),
            "recall_at": {f"{rate:g}": self._recall_at(rate) for rate in FALSE_POSITIVE_RATES},
            "real_sources": real_sources,
            "generators_by_name": generators,
            "worst_source": _find_worst(real_sources, "false_positive_rate"),
            "worst_generator": _find_worst(generators, "miss_rate"),
            "right_alarms": None,
            "risk_coverage": compute_risk_coverage(self.is_fake, self.is_called_fake != self.is_fake, np.abs(self.log_odds)),
        }

    def _within_folds(self) -> Figures:
        """Measure the mean ROC-AUC over the folds that have both classes."""
        folds = self.table["fold"].to_numpy()

        def mean_roc_auc(weights: Floats) -> Floats:
            each = [
                compute_ranking_metrics(self.is_fake[folds == fold], self.item_scores[folds == fold], weights[:, folds == fold])["roc_auc"]
                for fold in np.unique(folds)
            ]
            known = ~np.isnan(each)
            return np.divide(np.nansum(each, axis=0), known.sum(axis=0), out=np.full(len(weights), np.nan), where=known.any(axis=0))

        return self._measure(mean_roc_auc)

    def _recall_at(self, rate: float) -> Figures:
        return self._measure(lambda weights: compute_recalls_at(self.is_fake, self.item_scores, weights, rate))

    def _measure(self, metric: Callable[[Floats], Floats]) -> Figures:
        """Return a metric, of the weights (resamples, n), with its interval over resampled sources and generators."""
        value = float(metric(np.ones((1, len(self.item_scores))))[0])
        resampled = np.concatenate([metric(block) for block in self.draws.iter_row_weights()])
        return bootstrap.percentile_interval(value, resampled[~np.isnan(resampled)], self.minority_clusters).as_dict()

    def _real_sources(self) -> list[Figures]:
        rows = []
        for name in sorted(self.table.loc[~self.is_fake, "source"].unique()):
            mask = ~self.is_fake & (self.table["source"] == name).to_numpy()
            rows.append({"name": str(name), "items": int(mask.sum()), "false_positive_rate": self._share(self.is_called_fake, mask)})
        return sorted(rows, key=lambda row: (-row["items"], row["name"]))

    def _generators(self) -> list[Figures]:
        named = self.table["generator"].replace("", _UNKNOWN_GENERATOR)
        rows = []
        for name, source in sorted(set(zip(named[self.is_fake], self.table["source"][self.is_fake], strict=True))):
            mask = self.is_fake & ((named == name) & (self.table["source"] == source)).to_numpy()
            figures = {"miss_rate": self._share(~self.is_called_fake, mask), "roc_auc": self._roc_auc_against_real(mask)}
            rows.append({"name": str(name), "source": str(source), "items": int(mask.sum()), **figures})
        return sorted(rows, key=lambda row: (-row["items"], row["name"], row["source"]))

    def _share(self, successes: Bools, mask: Bools) -> Figures:
        return self.select(mask).compute_share(successes[mask], np.ones(int(mask.sum()), np.bool_))

    def _roc_auc_against_real(self, mask: Bools) -> Figures:
        part = self.select(mask | ~self.is_fake)
        scores = part.scores("score")
        value = float(compute_ranking_metrics(part.is_fake, scores, np.ones((1, len(scores))))["roc_auc"][0])
        if part.minority_clusters < bootstrap.MIN_CLUSTERS:
            return Interval(value, np.nan, np.nan).as_dict()
        blocks = [compute_ranking_metrics(part.is_fake, scores, block)["roc_auc"] for block in part.resamples.iter_row_weights()]
        return bootstrap.percentile_interval(value, np.concatenate(blocks), part.minority_clusters).as_dict()


def _find_worst(rows: list[Figures], what: str) -> Figures | None:
    """Return the row with the highest share of mistakes of those with enough items; of equals the one with more items."""
    enough = [row for row in rows if row["items"] >= MIN_ITEMS]
    worst = max(enough, key=lambda row: row[what]["value"], default=None)
    return {"name": worst["name"], "value": worst[what]["value"], "what": what} if worst else None


def _log_odds(probabilities: Floats) -> Floats:
    clipped = np.clip(probabilities, _EPSILON, 1 - _EPSILON)
    return np.log(clipped / (1 - clipped))
