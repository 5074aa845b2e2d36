"""Check the gate rules that need only the version's own ``reports/metrics.json``, or the facts that it answers by."""

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import mlflow
from mlflow.models import EvaluationResult, MetricThreshold
from mlflow.models.evaluation.validation import ModelValidationFailedException

from realframe.governance.gate_rules import MetricRule, RobustnessRule, RuleResult, SliceRule, SourceRule
from realframe.registry.model_version import PASSED
from realframe.registry.unseen_sources import describe_unseen_sources, list_kinds

COMPETENCE = "competence"
"""Name of the rule that asks for verdicts on each kind."""
_MAX_NAMED_SLICES = 3
logging.getLogger("mlflow.models.evaluation.validation").setLevel(logging.WARNING)  # it logs the start and end of each rule


def check_metric(rule: MetricRule, metrics: Mapping[str, Any]) -> RuleResult:
    """Check one metric against its bound, by MLflow's model validation. The result is unknown if the metric is missing or null."""
    bound = rule.at_most if rule.at_least is None else rule.at_least
    required = f"at {'most' if rule.at_least is None else 'least'} {bound:g}"
    value = _lookup(metrics, rule.metric)
    if not isinstance(value, int | float):
        return RuleResult(rule.name, None, f"{rule.metric} is unknown", required)
    threshold = MetricThreshold(threshold=bound, greater_is_better=rule.at_least is not None)
    return RuleResult(rule.name, _passes(rule.metric, float(value), threshold), f"{rule.metric} is {value:.3f}", required)


def check_unseen_sources(rule: SourceRule, metrics: Mapping[str, Any]) -> list[RuleResult]:
    """Check what holds for unseen sources, and how far it is above telling real sources apart; each kind of the dataset must meet it.

    Unknown if unseen sources were not measured or there is no statement about a kind.
    """
    kinds = list_kinds(metrics)
    lows = {kind: figures["roc_auc"]["low"] for kind, figures in kinds.items()}
    required = f"ROC-AUC of at least {rule.roc_auc_at_least:g} for each kind, at the lower end of its interval"
    observed = " ".join(describe_unseen_sources(metrics))
    results = [RuleResult("unseen sources", _all_at_least(lows, rule.roc_auc_at_least), observed, required)]
    if rule.margin_at_least is not None:
        margins = {kind: figures["margin"] for kind, figures in kinds.items()}
        required = f"ROC-AUC on unseen sources minus that between two real sources of at least {rule.margin_at_least:g} for each kind"
        is_met = _all_at_least(margins, rule.margin_at_least)
        results.append(RuleResult("better than at telling real sources apart", is_met, _describe_margins(kinds), required))
    return results


def _all_at_least(values: Mapping[str, float | None], bound: float) -> bool | None:
    """Return whether all values reach the bound; None if one is unknown and no other is below, or there are none."""
    known = [value for value in values.values() if value is not None]
    if any(value < bound for value in known):
        return False
    return True if known and len(known) == len(values) else None


def _describe_margins(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    def describe(kind: str, figures: Mapping[str, Any]) -> str:
        if figures["margin"] is None:
            return f"{kind}s: unknown"
        return f"{kind}s: {figures['roc_auc']['value']:.3f} and {figures['real_versus_real']['value']:.3f} ({figures['margin']:+.3f})"

    return "; ".join(describe(kind, figures) for kind, figures in kinds.items()) or "not measured"


def check_slices(rule: SliceRule, metrics: Mapping[str, Any]) -> RuleResult:
    """Check the accuracy of each slice; slices with too few items do not count."""
    required = f"accuracy of at least {rule.accuracy_at_least:g} on each slice"
    accuracies = {f"{dimension} {row['name']}": row["accuracy"]["value"] for dimension, row in _large_slices(metrics.get("slices") or {})}
    if not accuracies:
        return RuleResult("no slice below", None, "no slice has enough items", required)
    lowest = sorted(accuracies, key=lambda name: accuracies[name])
    below = [name for name in lowest if accuracies[name] < rule.accuracy_at_least]
    named = ", ".join(f"{name} {accuracies[name]:.2f}" for name in (below or lowest)[:_MAX_NAMED_SLICES])
    observed = f"{len(below)} of {len(accuracies)} slices below: {named}" if below else f"the lowest of {len(accuracies)} slices: {named}"
    return RuleResult("no slice below", not below, observed, required)


def check_robustness(rule: RobustnessRule, metrics: Mapping[str, Any]) -> RuleResult:
    """Check the drop in ROC-AUC under the worst perturbation."""
    required = f"ROC-AUC drop of at most {rule.drop_at_most:g}"
    worst = (metrics.get("robustness") or {}).get("worst")
    if not worst or worst["drop"]["value"] is None:
        return RuleResult("robust", None, "robustness was not measured", required)
    drop = worst["drop"]["value"]
    return RuleResult("robust", drop <= rule.drop_at_most, f"{worst['perturbation']} {worst['level']:g} lowers it by {drop:.3f}", required)


def check_competence(facts: Mapping[str, Any]) -> RuleResult:
    """Check that a version gives verdicts on each kind of its dataset, by the facts that it answers by; unknown without rules per kind."""
    required, kinds = "verdicts on each kind of the dataset", facts.get("verdict") or {}
    if not kinds:
        return RuleResult(COMPETENCE, None, "the rules for the verdicts are unknown", required)
    reasons = [f"{kind}: {rule['competence']['reason']}" for kind, rule in kinds.items() if not rule["competence"]["is_competent"]]
    return RuleResult(COMPETENCE, not reasons, " ".join(reasons) or f"verdicts on {' and '.join(f'{kind}s' for kind in kinds)}", required)


def check_shortcut_audit(mark: str) -> RuleResult:
    """Check the outcome of the shortcut audit, which is a permanent tag of the version."""
    outcomes = {PASSED: "the audit passed", "allowed": "file facts separate the classes, and the run was allowed by allow_shortcuts"}
    met = None if mark not in outcomes else mark == PASSED
    return RuleResult("shortcut audit", met, outcomes.get(mark, "the outcome of the audit is unknown"), "passed")


def _passes(name: str, value: float, threshold: MetricThreshold) -> bool:
    try:
        mlflow.validate_evaluation_results({name: threshold}, EvaluationResult(metrics={name: value}, artifacts={}))
    except ModelValidationFailedException:
        return False
    return True


def _lookup(metrics: Mapping[str, Any], path: str) -> Any:
    value: Any = metrics
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _large_slices(dimensions: Mapping[str, list[dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for dimension, rows in dimensions.items():
        yield from ((dimension, row) for row in rows if "too_few" not in row)
