"""The rules that a version meets or fails by its own evidence, ``reports/metrics.json``."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import mlflow
from mlflow.models import EvaluationResult, MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

from realframe.governance.gate_rules import FigureRule, RobustnessRule, RuleResult, SliceRule
from realframe.registry.model_version import PASSED

_SHOWN = 3
logging.getLogger("mlflow.models.evaluation.validation").setLevel(logging.WARNING)  # it says at each rule that it begins and ends


def figure(rule: FigureRule, metrics: Mapping[str, Any]) -> RuleResult:
    """Hold one figure against its bound, by MLflow's own validation. A figure that is missing or null is unknown."""
    bound = rule.at_most if rule.at_least is None else rule.at_least
    needed = f"at {'most' if rule.at_least is None else 'least'} {bound:g}"
    value = _at(metrics, rule.figure)
    if not isinstance(value, int | float):
        return RuleResult(rule.name, None, f"{rule.figure} is not known", needed)
    threshold = MetricThreshold(threshold=bound, greater_is_better=rule.at_least is not None)
    return RuleResult(rule.name, _passes(rule.figure, float(value), threshold), f"{rule.figure} is {value:.3f}", needed)


def slices(rule: SliceRule, metrics: Mapping[str, Any]) -> RuleResult:
    """Find the slices of which too little is called right; those with too few items don't count."""
    needed = f"at least {rule.right_at_least:g} of each slice called right"
    shares = {f"{dimension} {row['name']}": row["right"]["value"] for dimension, row in _counted(metrics.get("slices") or {})}
    if not shares:
        return RuleResult("no slice below", None, "no slice has enough items", needed)
    lowest = sorted(shares, key=lambda name: shares[name])
    below = [name for name in lowest if shares[name] < rule.right_at_least]
    named = ", ".join(f"{name} {shares[name]:.2f}" for name in (below or lowest)[:_SHOWN])
    said = f"{len(below)} of {len(shares)} slices below: {named}" if below else f"the lowest of {len(shares)} slices: {named}"
    return RuleResult("no slice below", not below, said, needed)


def robustness(rule: RobustnessRule, metrics: Mapping[str, Any]) -> RuleResult:
    """Hold the drop by the perturbation that costs most against the bound."""
    needed = f"at most {rule.drop_at_most:g} of the ROC-AUC lost"
    worst = (metrics.get("robustness") or {}).get("worst")
    if not worst or worst["drop"]["value"] is None:
        return RuleResult("robust", None, "robustness was not measured", needed)
    drop = worst["drop"]["value"]
    return RuleResult("robust", drop <= rule.drop_at_most, f"{worst['perturbation']} {worst['level']:g} costs {drop:.3f}", needed)


def shortcuts(mark: str) -> RuleResult:
    """Read the mark of the shortcut audit that a version bears for ever."""
    said = {PASSED: "the audit passed", "allowed": "file facts tell the classes apart, and the run was let through all the same"}
    met = None if mark not in said else mark == PASSED
    return RuleResult("shortcut audit", met, said.get(mark, "the audit's outcome is not known"), "passed")


def _passes(name: str, value: float, threshold: MetricThreshold) -> bool:
    try:
        mlflow.validate_evaluation_results({name: threshold}, EvaluationResult(metrics={name: value}, artifacts={}))
    except ModelValidationFailedException:
        return False
    return True


def _at(metrics: Mapping[str, Any], path: str) -> Any:
    found: Any = metrics
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _counted(dimensions: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for dimension, rows in dimensions.items():
        yield from ((dimension, row) for row in rows if "too_few" not in row)
