"""Check the gate: the rules of ``mlflow/gate.yaml`` that a version must meet before it may become champion."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from realframe.errors import GateError, RegistryError
from realframe.governance import champion_history, champion_rules, gate_rules, ledger, metric_rules
from realframe.governance.champion_rules import check_against_champion, check_regression_set
from realframe.governance.evidence_files import EvidenceFiles
from realframe.governance.gate_rules import GateRules, RuleResult
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.settings import get_settings
from realframe.store.repository import Store


@dataclass(frozen=True)
class GateResult:
    """The outcome of all rules.

    Attributes:
        version: number of the candidate.
        champion: number of the champion that it was compared with; None if there is no other one.
        rules: in the order of the file.
    """

    version: int
    champion: int | None
    rules: tuple[RuleResult, ...]

    @property
    def unmet_rules(self) -> tuple[RuleResult, ...]:
        """The rules that are not met or whose outcome is unknown."""
        return tuple(rule for rule in self.rules if rule.is_met is not True)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-compatible values, for the ledger."""
        return asdict(self) | {"rules": [asdict(rule) for rule in self.rules]}


def check_gate(version: int, store: Store) -> GateResult:
    """Check every rule for a version. This may take a while: the champion may have to score the candidate's test items.

    Raises:
        GateError: the rules cannot be read.
        RegistryError: there is no such version.
        MetadataError: the store cannot be reached.
    """
    rules, candidate = gate_rules.load_gate_rules(get_settings()), model_registry.get_version(version)
    champion = find_comparison_champion(candidate, store)
    return GateResult(version, champion.version if champion else None, tuple(_check_rules(rules, candidate, champion)))


def find_comparison_champion(candidate: ModelVersion, store: Store) -> ModelVersion | None:
    """Return the champion to compare a version with: the current one or, if that is the version itself, the one before it."""
    versions = {version.version: version for version in model_registry.list_versions()}
    periods = champion_history.build_champion_periods(champion_history.select_valid_entries(ledger.list_entries(store), versions.values()))
    former = [other.version for other in periods if other.version not in (None, candidate.version)]
    return versions[former[-1]] if former else None


def require_second_reviewer(candidate: ModelVersion, reviewer: str) -> None:
    """Raise GateError if ``four_eyes`` is set and the reviewer trained the version, or its trainer is unknown."""
    if not gate_rules.load_gate_rules(get_settings()).four_eyes:
        return
    if candidate.trainer == reviewer.strip():
        hint = "Ask another reviewer to decide: `realframe users list`."
        raise GateError(f"version {candidate.version}", f"was trained by {reviewer}, who cannot be its only reviewer (four_eyes)", hint)
    if not candidate.trainer:
        raise GateError(f"version {candidate.version}", "has no recorded trainer (four_eyes)", "Train it again: `realframe run`.")


def require_override_reason(gate: GateResult, reason: str) -> tuple[str, ...]:
    """Return the names of the unmet rules, which ``reason`` overrides. Raises GateError if there are any and the reason is empty."""
    unmet = gate.unmet_rules
    if unmet and not reason.strip():
        descriptions = "; ".join(f"{rule.name} is {rule.status} ({rule.observed}; required: {rule.required})" for rule in unmet)
        hint = "Reject it, or override them with a reason: --override WHY."
        raise GateError(f"version {gate.version}", f"does not meet {len(unmet)} of {len(gate.rules)} rules: {descriptions}", hint)
    return tuple(rule.name for rule in unmet)


def _check_rules(rules: GateRules, candidate: ModelVersion, champion: ModelVersion | None) -> list[RuleResult]:
    try:
        evidence = EvidenceFiles.fetch(candidate)
    except RegistryError as error:
        return [RuleResult("evidence", None, str(error), "the metrics and predictions that were registered with the version")]
    results = [metric_rules.check_metric(rule, evidence.metrics) for rule in rules.metrics]
    results += [metric_rules.check_slices(rules.slices, evidence.metrics)] if rules.slices else []
    results += [metric_rules.check_robustness(rules.robustness, evidence.metrics)] if rules.robustness else []
    results += [metric_rules.check_shortcut_audit(candidate.shortcuts)] if rules.shortcuts_passed else []
    if champion_rule := rules.champion:
        results += _unknown_on_error(champion_rules.RANKING, lambda: check_against_champion(champion_rule, evidence, champion))
    if regression_rule := rules.regression:
        results += _unknown_on_error(champion_rules.REGRESSION, lambda: [check_regression_set(regression_rule, evidence, champion)])
    return results


def _unknown_on_error(name: str, compare: Callable[[], list[RuleResult]]) -> list[RuleResult]:
    """Return the results of ``compare``; if the champion has no usable evidence, one result that is unknown."""
    try:
        return compare()
    except RegistryError as error:
        return [RuleResult(name, None, str(error), "the evidence of both versions")]
