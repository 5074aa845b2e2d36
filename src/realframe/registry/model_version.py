"""Represent a registered version of the detector. MLflow stores it as few short tags; its figures are the metrics of its run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlflow.entities.model_registry import ModelVersion as MlflowVersion

from realframe.registry import run_figures

NAME = "realframe"
"""Name of the registered model."""
_REQUIRED = ("sha256", "dataset", "commit", "recipe", "weights")
PASSED, ALLOWED, UNKNOWN = "passed", "allowed", "unknown"
RENDERED = "rendered-training"
"""Code of the competence of a kind of which media were rendered."""
_OPTIONAL = (
    "trainer",
    "test_split",
    "evidence_digest",
    "answer_digest",
    "decision",
    "rendered_kinds",
)  # not on every version, or added later


@dataclass(frozen=True)
class ModelVersion:
    """A registered version of the detector.

    Attributes:
        version: number of the version, from 1.
        run_id: the MLflow run of its training, which may be on another server.
        mlflow_run_id: the run on this server that holds its file and its evidence.
        aliases: the aliases that point to it, such as ``challenger`` or ``champion``.
        created: when it was registered, UTC, ISO 8601.
        sha256: SHA-256 of its Keras file.
        dataset: the dataset version that it was trained and tested on.
        commit: commit of its run.
        recipe: name of its recipe.
        weights: name of the initial weights of its backbone.
        threshold: an item with a score at or above it is called fake.
        figures: unit (``item``, ``frame``) -> figure -> ``value``, ``low``, ``high`` on the test split.
        baseline: the figures of the baseline, in the same form.
        cross_source: kind -> ``value``, ``low``, ``high`` of the ROC-AUC on unseen sources; without kinds for which there is no statement.
        below_baseline: whether it ranks the test items worse than the baseline does.
        decision: ledger entry of the last decision on it, ``<sequence> <hash>``; empty if there is none.
        trainer: who started its run; empty if unknown.
        shortcuts: result of the audit of file facts: ``passed``, ``allowed`` (they alone tell the classes apart) or ``unknown``.
        test_split: digest of the items that it was tested on; empty if unknown.
        evidence_digest: digest of its evidence bundle; empty if there is none.
        answer_digest: digest of everything that decides its answers (``answer_bundle``).
        rendered_kinds: the kinds of which media were rendered for a demonstration, such as ``image, video``; empty if none were.
    """

    version: int
    run_id: str
    mlflow_run_id: str
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
    cross_source: dict[str, dict[str, float | None]]
    below_baseline: bool
    decision: str
    trainer: str
    shortcuts: str
    test_split: str
    evidence_digest: str
    answer_digest: str
    rendered_kinds: str

    @property
    def uri(self) -> str:
        """Its URI in MLflow."""
        return f"models:/{NAME}/{self.version}"


def parse_version(version: MlflowVersion, aliases: Mapping[str, str], run_metrics: Mapping[str, float]) -> ModelVersion:
    """Build a model version from MLflow's entity.

    Args:
        version: a version with the tags that ``version_tags`` returns.
        aliases: the aliases of the registered model, alias -> number.
        run_metrics: the metrics of its run, which ``run_figures`` logged; empty if the run was deleted.
    """
    tags = version.tags
    return ModelVersion(
        version=int(version.version),
        run_id=tags.get("realframe.run_id", version.run_id),
        mlflow_run_id=version.run_id,
        aliases=tuple(sorted(alias for alias, number in aliases.items() if int(number) == int(version.version))),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        **{name: tags[f"realframe.{name}"] for name in _REQUIRED},
        **{name: tags.get(f"realframe.{name}", "") for name in _OPTIONAL},
        shortcuts=tags.get("realframe.shortcuts", UNKNOWN),
        threshold=float(tags["realframe.threshold"]),
        figures=run_figures.read_figures(run_metrics, "test"),
        baseline=run_figures.read_figures(run_metrics, "baseline"),
        cross_source=run_figures.read_cross_source(run_metrics),
        below_baseline=bool(run_metrics.get("below_baseline")),
    )


def version_tags(sha256: str, training: Mapping[str, Any], metrics: Mapping[str, Any], commit: str) -> dict[str, str]:
    """Return the tags of a version whose model was trained and evaluated in one folder.

    Args:
        sha256: SHA-256 of the Keras file.
        training: the content of ``models/training.json``.
        metrics: the content of ``reports/metrics.json``.
        commit: commit of the run.
    """
    return {
        **evaluation_tags(metrics),
        "realframe.recipe": training["recipe"],
        "realframe.weights": training["weights"]["name"],
        "realframe.dataset": training["dataset"],
        "realframe.commit": commit,
        "realframe.sha256": sha256,
    }


def evaluation_tags(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that a new evaluation replaces."""
    unseen = metrics["held_out"]["macro"] if metrics.get("held_out") else None
    rendered = [kind for kind, rule in metrics["verdict"].items() if rule["competence"]["code"] == RENDERED]
    return {
        "test_roc_auc": format_metric_with_interval(metrics["test"]["item"]["roc_auc"]),
        **({"unseen_roc_auc": format_metric_with_interval(unseen)} if unseen else {}),
        "realframe.threshold": repr(metrics["threshold"]),
        "realframe.test_split": metrics.get("test_split", ""),
        "realframe.shortcuts": _audit_mark(metrics.get("shortcuts")),
        **({"realframe.rendered_kinds": ", ".join(rendered)} if rendered else {}),
    }


def format_metric_with_interval(figure: Mapping[str, float | None]) -> str:
    """Format a metric with its interval: ``0.871 (0.802 to 0.933)``."""
    if figure["value"] is None:
        return "unknown"
    interval = f" ({figure['low']:.3f} to {figure['high']:.3f})" if figure.get("low") is not None else ""
    return f"{figure['value']:.3f}{interval}"


def _audit_mark(audit: Mapping[str, bool] | None) -> str:
    if audit is None:
        return UNKNOWN
    if audit["passed"]:
        return PASSED
    return ALLOWED if audit["allowed"] else UNKNOWN
