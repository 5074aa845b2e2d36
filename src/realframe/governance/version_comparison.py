"""A version beside the champion: each figure with its 95 % interval, what differs in how they were made, and what speaks against them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from realframe.config import leaves
from realframe.errors import RegistryError
from realframe.governance.evidence_files import Documents
from realframe.registry.model_registry import ModelVersion, shown
from realframe.registry.model_version import ALLOWED

Rows = list[tuple[str, ...]]
_LEVELS = {"item": "per item", "frame": "per frame"}
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
class Side:
    """One of the two.

    Attributes:
        version: which.
        documents: its evidence; None where there is none, or none that can be trusted.
    """

    version: ModelVersion
    documents: Documents | None

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The content of its ``reports/metrics.json``; empty where unknown."""
        return self.documents.metrics if self.documents else {}

    @property
    def head(self) -> str:
        """Its number and aliases."""
        aliases = f" ({', '.join(self.version.aliases)})" if self.version.aliases else ""
        return f"version {self.version.version}{aliases}"


def side(version: ModelVersion) -> Side:
    """Fetch the evidence of a version, as far as there is any."""
    try:
        return Side(version, Documents.of(version))
    except RegistryError:
        return Side(version, None)


def figure_rows(sides: list[Side]) -> Rows:
    """Return the figures: the held-out ones first, then those of the test split, then the baseline's."""
    unseen = [_held_out(side.metrics) for side in sides]
    degraded = [_robustness(side.metrics) for side in sides]
    return [
        ("ROC-AUC on unseen generators", *unseen),
        *(
            (f"{words}, {level_words}", *(shown(side.version.figures[level][name]) for side in sides))
            for level, level_words in _LEVELS.items()
            for name, words in _FIGURES.items()
            if all(name in side.version.figures.get(level, {}) for side in sides)
        ),
        ("baseline, ROC-AUC per item", *(shown(side.version.baseline["item"]["roc_auc"]) for side in sides)),
        ("ROC-AUC lost to the worst degradation", *degraded),
    ]


def change_rows(sides: list[Side]) -> Rows:
    """Return how the versions were made, and every parameter in which they differ."""
    versions = [side.version for side in sides]
    return [
        ("recipe", *(version.recipe for version in versions)),
        ("weights", *(version.weights for version in versions)),
        ("dataset", *(version.dataset for version in versions)),
        ("items for training, validation, test", *(_counts(side.metrics) for side in sides)),
        ("test split", *(version.test_split or _UNKNOWN for version in versions)),
        ("shortcut audit", *(version.shortcuts for version in versions)),
        ("commit", *(version.commit[:10] for version in versions)),
        ("trained by", *(version.trainer or _UNKNOWN for version in versions)),
        ("called fake from", *(f"{version.threshold:.3f}" for version in versions)),
        ("Keras file, SHA-256", *(version.sha256[:12] for version in versions)),
        *_parameters(sides),
    ]


def warnings(sides: list[Side]) -> list[str]:
    """Return what a reviewer must not overlook, of the candidate (the first) above all."""
    candidate, found = sides[0].version, []
    if candidate.below_baseline:
        found.append(f"Version {candidate.version} ranks the test items worse than its baseline, a regression on frozen features.")
    if candidate.shortcuts == ALLOWED:
        found.append(f"Version {candidate.version}: file facts alone tell its dataset's classes apart; the run was let through.")
    if len({side.version.test_split for side in sides}) > 1:
        found.append("The two were tested on different items: the gate compares them on the same ones, this table does not.")
    if any(figure.get("low") is None for figure in candidate.figures["item"].values()):
        found.append(f"Version {candidate.version}: too few independent test items for intervals; much of it may be chance.")
    found += [f"The evidence of version {side.version.version} is missing or was changed." for side in sides if side.documents is None]
    return found


def _parameters(sides: list[Side]) -> Rows:
    flat = [dict(leaves(side.documents.params)) if side.documents else {} for side in sides]
    if len(flat) < 2 or not all(flat):
        return []
    keys = sorted({key for values in flat for key in values})
    return [(key, *(str(values.get(key, "-")) for values in flat)) for key in keys if len({str(values.get(key)) for values in flat}) > 1]


def _counts(metrics: Mapping[str, Any]) -> str:
    if not metrics:
        return _UNKNOWN
    counts = metrics["counts"]
    return ", ".join(f"{sum(counts[split]['item'].values())}" for split in ("train", "val", "test"))


def _held_out(metrics: Mapping[str, Any]) -> str:
    held_out = metrics.get("held_out")
    return shown(held_out["macro"]) if held_out else "not measured"


def _robustness(metrics: Mapping[str, Any]) -> str:
    worst = (metrics.get("robustness") or {}).get("worst")
    return f"{worst['perturbation']} {worst['level']:g}: {shown(worst['drop'])}" if worst else "not measured"
