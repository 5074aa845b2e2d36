"""A registered version of the detector, and how it stands in MLflow: as tags, so that MLflow's own pages show it too."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlflow.entities.model_registry import ModelVersion as MlflowVersion

_LEVELS = ("item", "frame")  # the second where frames are scored
_SHOWN = ("roc_auc", "accuracy", "f1")  # as tags that people read
_TEXTS = ("run_id", "sha256", "dataset", "commit", "recipe", "weights")
PASSED, ALLOWED, UNKNOWN = "passed", "allowed", "unknown"
_LATER = ("trainer", "test_split", "evidence", "decision")  # not on every version, or not from the beginning


@dataclass(frozen=True)
class ModelVersion:
    """A registered version of the detector.

    Attributes:
        version: its number, from 1.
        run_id: the MLflow run of its training, also where this server knows another one in its place.
        mlflow_run: the run of this server that holds its file and its evidence.
        aliases: ``challenger``, ``champion`` or what else points to it.
        created: when it was registered, UTC, ISO 8601.
        sha256: of its Keras file.
        dataset: the version of the dataset that it was trained and tested on.
        commit: the commit of its run.
        recipe: the name of its recipe.
        weights: what its backbone started from.
        threshold: a score at or above it is called fake.
        figures: level (``item``, ``frame``) -> figure -> ``value``, ``low``, ``high`` on the test split.
        baseline: the same of the baseline.
        below_baseline: it ranks the test items worse than the baseline does.
        decision: where the ledger holds the last decision on it: ``<sequence> <hash>``, or empty.
        trainer: who started its run; empty where unknown.
        shortcuts: whether file facts alone tell its dataset's classes apart: ``passed``, ``allowed`` (they do) or ``unknown``.
        test_split: the digest of the items that it was tested on; empty where unknown.
        evidence: the digest of the evidence that is kept with it; empty where there is none.
    """

    version: int
    run_id: str
    mlflow_run: str
    aliases: tuple[str, ...]
    created: str
    sha256: str
    dataset: str
    commit: str
    recipe: str
    weights: str
    threshold: float
    figures: dict[str, dict[str, Any]]
    baseline: dict[str, dict[str, Any]]
    below_baseline: bool
    decision: str
    trainer: str
    shortcuts: str
    test_split: str
    evidence: str

    @property
    def uri(self) -> str:
        """Its address in MLflow."""
        return f"models:/realframe/{self.version}"


def read(version: MlflowVersion, aliases: Mapping[str, str]) -> ModelVersion:
    """Return what stands on a version in MLflow.

    Args:
        version: with the tags that ``tags_of`` gave it.
        aliases: of the registered model, alias -> number.
    """
    tags = version.tags
    return ModelVersion(
        version=int(version.version),
        mlflow_run=version.run_id,
        aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(version.version))),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        **{name: tags[f"realframe.{name}"] for name in _TEXTS},
        **{name: tags.get(f"realframe.{name}", "") for name in _LATER},
        shortcuts=tags.get("realframe.shortcuts", UNKNOWN),
        threshold=float(tags["realframe.threshold"]),
        figures=json.loads(tags["realframe.figures"]),
        baseline=json.loads(tags["realframe.baseline"]),
        below_baseline=json.loads(tags["realframe.below_baseline"]),
    )


def tags_of(sha256: str, training: Mapping[str, Any], metrics: Mapping[str, Any], commit: str) -> dict[str, str]:
    """Return what is to stand on a version whose model was trained and evaluated in one folder.

    Args:
        sha256: of the Keras file.
        training: the content of ``models/training.json``.
        metrics: the content of ``reports/metrics.json``.
        commit: of the run.
    """
    return {
        "realframe.run_id": training["run_id"],
        "realframe.sha256": sha256,
        "realframe.data": training["dataset"],
        "realframe.commit": commit,
        "realframe.recipe": training["recipe"],
        "realframe.weights": training["weights"]["name"],
        **evaluated_tags(metrics),
    }


def evaluated_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return those tags that an evaluation anew replaces."""
    figures, baseline = figures_of(metrics["test"]), figures_of(metrics["baseline"]["test"])
    readable = {f"{level}_{name}": shown(figures[level][name]) for level in figures for name in _SHOWN}
    return {
        **readable,
        "baseline_item_roc_auc": shown(baseline["item"]["roc_auc"]),
        "realframe.threshold": repr(metrics["threshold"]),
        "realframe.figures": json.dumps(figures),
        "realframe.baseline": json.dumps(baseline),
        "realframe.below_baseline": json.dumps(metrics["below_baseline"]),
        "realframe.test_split": metrics.get("test_split", ""),
        "realframe.shortcuts": _mark(metrics.get("shortcuts")),
    }


def figures_of(split: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return those entries of one split of ``reports/metrics.json`` that are figures, with their intervals."""
    return {
        level: {name: e for name, e in split[level].items() if isinstance(e, dict) and "value" in e} for level in _LEVELS if level in split
    }


def shown(figure: Mapping[str, float | None]) -> str:
    """Return a figure as people read it: ``0.871 (0.802 to 0.933)``."""
    if figure["value"] is None:
        return "unknown"
    interval = f" ({figure['low']:.3f} to {figure['high']:.3f})" if figure.get("low") is not None else ""
    return f"{figure['value']:.3f}{interval}"


def _mark(audit: Mapping[str, bool] | None) -> str:
    if audit is None:
        return UNKNOWN
    if audit["passed"]:
        return PASSED
    return ALLOWED if audit["allowed"] else UNKNOWN
