"""The gate: each rule of ``mlflow/gate.yaml``, met or not, before a version may become champion."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from realframe.errors import GateError, RegistryError
from realframe.governance import champion_history, champion_rules, gate_rules, ledger, metric_rules
from realframe.governance.evidence_files import Documents
from realframe.governance.gate_rules import GateRules, RuleResult
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.settings import get_settings
from realframe.store.repository import Store


@dataclass(frozen=True)
class Gate:
    """What came of all rules.

    Attributes:
        version: of the candidate.
        rival: the champion that it was compared with; None where there is no other one.
        rules: in the order of the file.
    """

    version: int
    rival: int | None
    rules: tuple[RuleResult, ...]

    @property
    def unmet(self) -> tuple[RuleResult, ...]:
        """The rules that are not met, or of which nobody can say."""
        return tuple(rule for rule in self.rules if rule.met is not True)

    def as_dict(self) -> dict[str, Any]:
        """Return it for the ledger."""
        return asdict(self) | {"rules": [asdict(rule) for rule in self.rules]}


def check(version: int, store: Store) -> Gate:
    """Check every rule for a version. Comparing it with the champion may take a while: the champion may have to score items.

    Raises:
        GateError: the rules can't be read.
        RegistryError: there is no such version.
        MetadataError: the store can't be reached.
    """
    asked, candidate = gate_rules.load_gate_rules(get_settings()), model_registry.get(version)
    rival = rival_of(candidate, store)
    return Gate(version, rival.version if rival else None, tuple(_checked(asked, candidate, rival)))


def rival_of(candidate: ModelVersion, store: Store) -> ModelVersion | None:
    """Return the champion to compare a version with: the present one, or where that is the version itself, the one before it."""
    versions = {version.version: version for version in model_registry.versions()}
    reigns = champion_history.champion_periods(champion_history.binding(ledger.entries(store), versions.values()))
    former = [other.version for other in reigns if other.version not in (None, candidate.version)]
    return versions[former[-1]] if former else None


def refuse_own(candidate: ModelVersion, reviewer: str) -> None:
    """Raise GateError where four eyes are asked for and the reviewer is the one who trained the version, or nobody knows who did."""
    if not gate_rules.load_gate_rules(get_settings()).four_eyes:
        return
    if candidate.trainer == reviewer.strip():
        hint = "Ask another reviewer to decide: `realframe users list`."
        raise GateError(f"version {candidate.version}", f"was trained by {reviewer}, who can't be its only reviewer (four_eyes)", hint)
    if not candidate.trainer:
        raise GateError(f"version {candidate.version}", "does not say who trained it (four_eyes)", "Train it anew: `realframe run`.")


def overridden(gate: Gate, reason: str) -> tuple[str, ...]:
    """Return the names of the rules that are overridden. Raises GateError where there are any and no reason is given."""
    unmet = gate.unmet
    if unmet and not reason.strip():
        told = "; ".join(f"{rule.name} is {rule.word} ({rule.said}; needed: {rule.needed})" for rule in unmet)
        hint = "Reject it, or override them with a reason: --override WHY."
        raise GateError(f"version {gate.version}", f"does not meet {len(unmet)} of {len(gate.rules)} rules: {told}", hint)
    return tuple(rule.name for rule in unmet)


def _checked(asked: GateRules, candidate: ModelVersion, rival: ModelVersion | None) -> list[RuleResult]:
    try:
        documents = Documents.of(candidate)
    except RegistryError as error:
        return [RuleResult("evidence", None, str(error), "the figures and predictions that were registered with the version")]
    checked = [metric_rules.figure(rule, documents.metrics) for rule in asked.figures]
    checked += [metric_rules.slices(asked.slices, documents.metrics)] if asked.slices else []
    checked += [metric_rules.robustness(asked.robustness, documents.metrics)] if asked.robustness else []
    checked += [metric_rules.shortcuts(candidate.shortcuts)] if asked.shortcuts_passed else []
    if beside := asked.champion:
        checked += _or_unknown(champion_rules.RANKING, lambda: champion_rules.champion(beside, documents, rival))
    if mistakes := asked.regression:
        checked += _or_unknown(champion_rules.REGRESSION, lambda: [champion_rules.regression(mistakes, documents, rival)])
    return checked


def _or_unknown(name: str, compare: Callable[[], list[RuleResult]]) -> list[RuleResult]:
    """What a champion without usable evidence leaves open stops an approval as well."""
    try:
        return compare()
    except RegistryError as error:
        return [RuleResult(name, None, str(error), "the evidence of both")]
