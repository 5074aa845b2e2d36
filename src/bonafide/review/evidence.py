"""What a reviewer decides on: the challenger beside the champion, each figure with its 95 % interval, and what speaks against both."""

from dataclasses import dataclass
from typing import Any

from bonafide.tracking import registry
from bonafide.tracking.registry import ModelVersion, shown

_LEVELS = {"item": "per item", "frame": "per frame"}
_FIGURES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}


@dataclass(frozen=True)
class Comparison:
    """A version beside the champion.

    Attributes:
        title: one line.
        heads: of the columns.
        rows: cells, the first one names the row.
        warnings: sentences that a reviewer must not overlook.
    """

    title: str
    heads: tuple[str, ...]
    rows: list[tuple[str, ...]]
    warnings: list[str]


def compare(version: int) -> Comparison:
    """Lay a version beside the champion; where there is none, or it is the champion itself, it stands alone. Raises RegistryError."""
    candidate, champion = registry.get(version), registry.champion()
    if champion is not None and champion.version == candidate.version:
        champion = None
    columns = [candidate] if champion is None else [candidate, champion]
    rows = [
        ("floor, ROC-AUC per item", *(shown(column.floor["item"]["roc_auc"]) for column in columns)),
        *(
            (f"{words}, {level_words}", *(shown(column.figures[level][name]) for column in columns))
            for level, level_words in _LEVELS.items()
            for name, words in _FIGURES.items()
            if all(name in column.figures.get(level, {}) for column in columns)
        ),
        ("called fake from", *(f"{column.threshold:.3f}" for column in columns)),
        ("recipe", *(column.recipe for column in columns)),
        ("weights", *(column.weights for column in columns)),
        ("dataset", *(column.dataset for column in columns)),
        ("commit", *(column.commit[:10] for column in columns)),
        ("Keras file, SHA-256", *(column.sha256[:12] for column in columns)),
    ]
    heads = ("test split", *(_head(column) for column in columns))
    beside = f"beside the champion, version {champion.version}" if champion else "with no other champion beside it"
    return Comparison(f"Version {candidate.version} {beside}", heads, rows, _warnings(candidate, champion))


def markdown(version: int) -> str:
    """Return the comparison as Markdown, for Airflow's page. Raises RegistryError."""
    comparison = compare(version)
    lines = [f"**{comparison.title}**", ""]
    lines += [f"> **Note:** {warning}\n" for warning in comparison.warnings]
    lines += [_line(comparison.heads), _line(["---"] * len(comparison.heads)), *(_line(row) for row in comparison.rows)]
    return "\n".join([*lines, "", "Figures with their 95 % intervals. Nobody's answer in time is no approval."])


def record(candidate: ModelVersion, champion: ModelVersion | None) -> dict[str, Any]:
    """Return what the ledger keeps of the evidence: the candidate's facts, and those of the champion at that time."""
    return {"candidate": _facts(candidate), "champion": _facts(champion) if champion else None}


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "sha256": version.sha256,
        "dataset": version.dataset,
        "commit": version.commit,
        "recipe": version.recipe,
        "run_id": version.run_id,
        "threshold": version.threshold,
        "below_floor": version.below_floor,
        "figures": version.figures,
        "floor": version.floor,
    }


def _warnings(candidate: ModelVersion, champion: ModelVersion | None) -> list[str]:
    warnings = []
    if candidate.below_floor:
        warnings.append(f"Version {candidate.version} ranks the test items worse than its floor, a regression on frozen features.")
    if champion and champion.dataset != candidate.dataset:
        warnings.append("The two were tested on different datasets: their figures can't be compared directly.")
    if any(figure.get("low") is None for figure in candidate.figures["item"].values()):
        warnings.append(f"Version {candidate.version}: too few independent test items for intervals; much of it may be chance.")
    return warnings


def _head(version: ModelVersion) -> str:
    return f"version {version.version}" + (f" ({', '.join(version.aliases)})" if version.aliases else "")


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
