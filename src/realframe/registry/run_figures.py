"""Log the figures of an evaluation as metrics of an MLflow run, and read them back."""

import re
from collections.abc import Mapping
from typing import Any

import mlflow

from realframe.statistics.classification_metrics import METRICS

UNITS = ("item", "frame")  # ``frame`` only if frames are scored
_PARTS = ("value", "low", "high")
_NAME_LENGTH = 80
_CROSS_SOURCE_NAME = re.compile("cross_source_([a-z]+)_roc_auc")
_BATCH = 500  # MLflow refuses more than 1,000 metrics in one request


def log_figures(metrics: Mapping[str, Any]) -> None:
    """Log the figures of ``reports/metrics.json`` to the active run, except those that it has with the same values."""
    run = mlflow.active_run()
    assert run is not None
    known = mlflow.MlflowClient().get_run(run.info.run_id).data.metrics
    new = [(name, value) for name, value in flatten_figures(metrics).items() if known.get(name) != value]
    for start in range(0, len(new), _BATCH):
        mlflow.log_metrics(dict(new[start : start + _BATCH]))


def flatten_figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the figures of ``reports/metrics.json`` by their names in MLflow; bounds of an interval end in ``_low`` and ``_high``.

    ``cross_source_KIND_roc_auc`` and then ``test_item_roc_auc`` come first in importance; groups with a slash are charts of their own in
    MLflow's pages: ``cross_source/KIND``, ``cross_source/KIND/SOURCE``, ``held_out/GENERATOR``, ``robustness/PERTURBATION_LEVEL``,
    ``slices/DIMENSION/NAME`` and ``per_kind/KIND``.
    """
    figures: dict[str, Mapping[str, Any]] = {}
    for split in ("test", "val"):
        for unit in metrics[split]:
            figures |= {f"{split}_{unit}_{name}": metrics[split][unit].get(name, {}) for name in METRICS}
    for unit, row in metrics["baseline"]["test"].items():
        figures |= {f"baseline_{unit}_{name}": row.get(name, {}) for name in METRICS}
    figures |= _cross_source_figures(metrics.get("cross_source"))
    figures |= _held_out_figures(metrics.get("held_out")) | _robustness_figures(metrics.get("robustness"))
    for dimension, rows in (metrics.get("slices") or {}).items():
        for row in rows:
            figures |= _pick(f"slices/{dimension}/{_metric_name(row['name'])}", row, ("accuracy", "roc_auc"))
    for kind, row in (metrics.get("per_kind") or {}).items():
        figures |= _pick(f"per_kind/{kind}", row.get("model") or {}, ("accuracy", "roc_auc"))
    figures |= _pick("verdicts", metrics.get("verdicts") or {}, ("uncertain", "wrong"))
    values = {
        name if part == "value" else f"{name}_{part}": figure.get(part)
        for name, figure in figures.items()
        for part in (_PARTS if "/" not in name else ("value",))  # intervals of slices are in the report
    }
    values |= {name: metrics.get(name) for name in ("threshold", "below_baseline")}
    for kind, rule in (metrics.get("verdict") or {}).items():
        values |= {f"verdict/{kind}/{name}": rule[name] for name in ("slope", "intercept")}
        values[f"verdict/{kind}/stated_error"] = rule["band"]["error"]
        values[f"verdict/{kind}/is_competent"] = rule["competence"]["is_competent"]
    return {name: float(value) for name, value in values.items() if value is not None}


def read_figures(values: Mapping[str, float], group: str) -> dict[str, dict[str, dict[str, float | None]]]:
    """Return the figures of one group (``test``, ``baseline``) from the metrics of a run, by unit and name; None where unknown."""
    units = [unit for unit in UNITS if unit == "item" or f"{group}_{unit}_accuracy" in values]
    return {unit: {name: _read_interval(values, f"{group}_{unit}_{name}") for name in METRICS} for unit in units}


def read_cross_source(values: Mapping[str, float]) -> dict[str, dict[str, float | None]]:
    """Return the ROC-AUC on unseen sources by kind from the metrics of a run; kinds without a statement are left out."""
    kinds = (match[1] for match in map(_CROSS_SOURCE_NAME.fullmatch, sorted(values)) if match)
    return {kind: _read_interval(values, f"cross_source_{kind}_roc_auc") for kind in kinds}


def _cross_source_figures(cross_source: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    figures: dict[str, Mapping[str, Any]] = {}
    for kind, part in (cross_source or {}).get("kinds", {}).items():
        group = f"cross_source/{kind}"
        figures |= {f"cross_source_{kind}_roc_auc": part["roc_auc"], f"{group}/margin": {"value": part["margin"]}}
        figures |= _pick(group, part, ("within_folds", "real_versus_real", "worst_source", "worst_generator"))
        figures |= {f"{group}/recall_at_{rate}": figure for rate, figure in part.get("recall_at", {}).items()}
        figures |= {f"{group}/right_alarms_at_{share}": {"value": value} for share, value in (part.get("right_alarms") or {}).items()}
        for row in part.get("real_sources", []):
            figures |= _pick(f"{group}/{_metric_name(row['name'])}", row, ("false_positive_rate",))
        for row in part.get("generators_by_name", []):
            figures |= _pick(f"{group}/{_metric_name(row['source'])}/{_metric_name(row['name'])}", row, ("miss_rate",))
    return figures


def _held_out_figures(held_out: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    if not held_out:
        return {}
    figures = {"held_out_roc_auc": held_out["macro"], "held_out_drop": (held_out.get("same_items") or {}).get("drop") or {}}
    for row in held_out["generators"]:
        figures |= _pick(f"held_out/{_metric_name(row['name'])}", row, ("roc_auc", "recall"))
    return figures


def _robustness_figures(robustness: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    if not robustness:
        return {}
    figures: dict[str, Mapping[str, Any]] = {"robustness_worst_drop": (robustness.get("worst") or {}).get("drop") or {}}
    for perturbation, points in robustness.get("curves", {}).items():
        for point in points:
            figures |= _pick(f"robustness/{_metric_name(perturbation)}_{point['level']:g}", point, ("roc_auc", "drop"))
    return figures


def _pick(group: str, row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    return {f"{group}/{name}": row[name] for name in names if isinstance(row.get(name), Mapping)}


def _read_interval(values: Mapping[str, float], name: str) -> dict[str, float | None]:
    return {part: values.get(name if part == "value" else f"{name}_{part}") for part in _PARTS}


def _metric_name(text: object) -> str:
    """Return a name from outside, such as that of a generator, with the characters that MLflow allows in a part of a metric's name."""
    return re.sub(r"[^\w.\- :]", "_", str(text)).strip(". ")[:_NAME_LENGTH].strip(". ") or "unknown"
