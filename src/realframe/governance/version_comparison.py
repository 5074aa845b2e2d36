"""Compare a version with the champion: metrics with 95 % intervals, differences in how they were made, and warnings."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from realframe.config import flatten
from realframe.errors import RegistryError
from realframe.governance.evidence_files import SCORE, EvidenceFiles
from realframe.registry.model_registry import ModelVersion, format_metric_with_interval
from realframe.registry.model_version import ALLOWED
from realframe.registry.unseen_sources import PARTS, describe_worst, format_roc_auc, list_kinds
from realframe.reports.mistakes import select_worst_items

Rows = tuple[tuple[str, ...], ...]
_MAX_MISTAKES = 8
_UNIT_NAMES = {"item": "per item", "frame": "per frame"}
_FIGURES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "mcc": "MCC",
    "eer": "equal error rate",
    "ece": "calibration error",
    "brier": "Brier score",
    "log_loss": "log loss",
}
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class ComparedVersion:
    """One column of the comparison.

    Attributes:
        version: the model version.
        evidence: its evidence; None if it is missing or was changed.
    """

    version: ModelVersion
    evidence: EvidenceFiles | None

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The content of its ``reports/metrics.json``; empty if unknown."""
        return self.evidence.metrics if self.evidence else {}


@dataclass(frozen=True)
class ReviewedMistake:
    """A misclassified item: path of its original, true label, and the network's score."""

    path: str
    label: str
    score: float


@dataclass(frozen=True)
class VersionComparison:
    """A version next to the champion.

    Attributes:
        figures: one row per metric, with its 95 % interval.
        changes: one row per difference in how the versions were made.
        warnings: sentences that a reviewer must not overlook.
        mistakes: the worst mistakes of the version, the worst first.
    """

    figures: Rows
    changes: Rows
    warnings: tuple[str, ...]
    mistakes: tuple[ReviewedMistake, ...]


def compare_versions(candidate: ModelVersion, champion: ModelVersion | None) -> VersionComparison:
    """Compare a version with the champion, if there is another one, by the evidence of both, which may be downloaded."""
    columns = [load_compared_version(version) for version in (candidate, champion) if version]
    missing = tuple(
        f"The evidence of version {column.version.version} is missing or was changed." for column in columns if column.evidence is None
    )
    try:
        return VersionComparison(
            build_metric_rows(columns),
            build_difference_rows(columns),
            list_version_warnings(columns) + missing,
            list_worst_mistakes(columns[0]),
        )
    except RegistryError as error:  # a file of the evidence is missing
        registered = compare_registered(candidate, champion)
        return replace(registered, warnings=(*registered.warnings, *missing, str(error)))


def compare_registered(candidate: ModelVersion, champion: ModelVersion | None) -> VersionComparison:
    """Compare a version with the champion by what the registry says of both, without reading or downloading their evidence."""
    columns = [ComparedVersion(version, None) for version in (candidate, champion) if version]
    return VersionComparison(build_metric_rows(columns), build_difference_rows(columns), list_version_warnings(columns), ())


def format_version_title(version: ModelVersion) -> str:
    """Return the number and the aliases of a version, as the title of its column."""
    return f"version {version.version}" + (f" ({', '.join(version.aliases)})" if version.aliases else "")


def load_compared_version(version: ModelVersion) -> ComparedVersion:
    """Fetch the evidence of a version, if there is any."""
    try:
        return ComparedVersion(version, EvidenceFiles.fetch(version))
    except RegistryError:
        return ComparedVersion(version, None)


def build_metric_rows(columns: list[ComparedVersion]) -> Rows:
    """Return one row per metric: unseen sources first, unseen generators next, then the test split, the baseline and robustness."""
    unseen = [_format_unseen_roc_auc(column) for column in columns]
    worst_drops = [_format_worst_drop(column) for column in columns]
    return (
        *_unseen_source_rows(columns),
        ("ROC-AUC on unseen generators", *unseen),
        *(
            (f"{metric_name}, {unit_name}", *(format_metric_with_interval(column.version.figures[unit][name]) for column in columns))
            for unit, unit_name in _UNIT_NAMES.items()
            for name, metric_name in _FIGURES.items()
            if all(name in column.version.figures.get(unit, {}) for column in columns)
        ),
        ("baseline, ROC-AUC per item", *(format_metric_with_interval(column.version.baseline["item"]["roc_auc"]) for column in columns)),
        ("ROC-AUC drop under the worst perturbation", *worst_drops),
    )


def build_difference_rows(columns: list[ComparedVersion]) -> Rows:
    """Return one row per fact of how the versions were made, and per parameter that differs."""
    versions = [column.version for column in columns]
    return (
        ("recipe", *(version.recipe for version in versions)),
        ("weights", *(version.weights for version in versions)),
        ("dataset", *(version.dataset for version in versions)),
        ("items for training, validation, test", *(_format_item_counts(column.metrics) for column in columns)),
        ("test split", *(version.test_split or _UNKNOWN for version in versions)),
        ("shortcut audit", *(version.shortcuts for version in versions)),
        ("commit", *(version.commit[:10] for version in versions)),
        ("trained by", *(version.trainer or _UNKNOWN for version in versions)),
        ("fake from score", *(f"{version.threshold:.3f}" for version in versions)),
        ("Keras file, SHA-256", *(version.sha256[:12] for version in versions)),
        *_parameter_rows(columns),
    )


def list_version_warnings(columns: list[ComparedVersion]) -> tuple[str, ...]:
    """Return what a reviewer must not overlook, mostly about the candidate, the first of ``columns``."""
    candidate = columns[0].version
    warnings = []
    if candidate.below_baseline:
        warnings.append(
            f"Version {candidate.version} ranks the test items worse than its baseline, a logistic regression on frozen features."
        )
    if candidate.shortcuts == ALLOWED:
        warnings.append(
            f"Version {candidate.version}: file facts alone separate the classes of its dataset; the run was allowed by allow_shortcuts."
        )
    if len({column.version.test_split for column in columns}) > 1:
        warnings.append("The versions were tested on different items: the gate compares them on the same items, this table does not.")
    if any(figure.get("low") is None for figure in candidate.figures["item"].values()):
        warnings.append(f"Version {candidate.version}: too few independent test items for intervals; the metrics may be due to chance.")
    return tuple(warnings)


def list_worst_mistakes(candidate: ComparedVersion) -> tuple[ReviewedMistake, ...]:
    """Return the wrongly classified test items that are farthest from the threshold; none if the predictions are not known."""
    if candidate.evidence is None:
        return ()
    try:
        wrong = select_worst_items(candidate.evidence.test_items, candidate.evidence.threshold, _MAX_MISTAKES)
    except RegistryError:  # the evidence has no predictions
        return ()
    return tuple(ReviewedMistake(str(row["path"]), str(row["label"]), float(row[SCORE])) for row in wrong.to_dict("records"))


def _parameter_rows(columns: list[ComparedVersion]) -> list[tuple[str, ...]]:
    flat = [dict(flatten(column.evidence.params)) if column.evidence else {} for column in columns]
    if len(flat) < 2 or not all(flat):
        return []
    keys = sorted({key for values in flat for key in values})
    return [(key, *(str(values.get(key, "-")) for values in flat)) for key in keys if len({str(values.get(key)) for values in flat}) > 1]


def _format_item_counts(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return _UNKNOWN
    counts = metrics["counts"]
    return ", ".join(f"{sum(counts[split]['item'].values())}" for split in ("train", "val", "test"))


def _unseen_source_rows(columns: list[ComparedVersion]) -> Rows:
    """Return the ROC-AUC on unseen sources and the worst source and generator, for each kind that one of the versions knows."""
    by_column = [
        list_kinds(column.metrics) or {kind: {"roc_auc": area} for kind, area in column.version.cross_source.items()} for column in columns
    ]
    kinds = sorted({kind for figures in by_column for kind in figures})
    if not kinds:
        return (("ROC-AUC on unseen sources", *("not measured" for _ in columns)),)
    rows: list[tuple[str, ...]] = []
    for kind in kinds:
        figures = [by_kind.get(kind) for by_kind in by_column]
        rows.append((f"ROC-AUC on {kind}s from unseen sources", *map(format_roc_auc, figures)))
        rows += [
            (f"worst {name} of {kind}s", *(_format_worst(part, name, kind) for part in figures))
            for name in PARTS
            if any((part or {}).get(f"worst_{name}") for part in figures)
        ]
    return tuple(rows)


def _format_worst(figures: Mapping[str, Any] | None, name: str, kind: str) -> str:
    worst = (figures or {}).get(f"worst_{name}")
    return describe_worst(kind, worst) if worst else _UNKNOWN


def _format_unseen_roc_auc(column: ComparedVersion) -> str:
    if column.evidence is None:
        return _UNKNOWN
    held_out = column.metrics.get("held_out")
    return format_metric_with_interval(held_out["macro"]) if held_out else "not measured"


def _format_worst_drop(column: ComparedVersion) -> str:
    if column.evidence is None:
        return _UNKNOWN
    worst = (column.metrics.get("robustness") or {}).get("worst")
    return f"{worst['perturbation']} {worst['level']:g}: {format_metric_with_interval(worst['drop'])}" if worst else "not measured"
