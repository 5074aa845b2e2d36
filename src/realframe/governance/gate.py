"""Check the gate: the rules of ``mlflow/gate.yaml`` that a version must meet before it may become champion.

Checking may take minutes and load TensorFlow, because the champion may have to score the candidate's test items. It is done by the
pipeline, by ``realframe registry gate`` and by an idle worker; everything else reads the stored result (``gate_results``).
"""

from collections.abc import Callable, Iterable

from realframe.errors import GateError, MissingGateResultError, RegistryError
from realframe.governance import champion_rules, gate_rules, metric_rules, reconcile
from realframe.governance.champion_rules import check_against_champion, check_regression_set
from realframe.governance.evidence_files import EvidenceFiles
from realframe.governance.gate_results import GateInputs, GateResult, find_gate_result, save_gate_result
from realframe.governance.gate_rules import RuleResult
from realframe.governance.paired_predictions import DEFAULT_SCORER, VersionScorer
from realframe.governance.version_comparison import compare_versions
from realframe.registry import answer_bundle, model_registry
from realframe.registry.model_registry import CHALLENGER, ModelVersion
from realframe.settings import get_settings
from realframe.store.repository import Store


def check_gate(version: int, store: Store, scorer: VersionScorer = DEFAULT_SCORER) -> GateResult:
    """Check every rule for a version, and store the result. This may take a while.

    Raises:
        GateError: the rules cannot be read.
        RegistryError: there is no such version.
        MetadataError: the store cannot be reached.
    """
    inputs = GateInputs.load(version, store)
    result = GateResult.build(inputs, tuple(_check_rules(inputs, scorer)), compare_versions(inputs.candidate, inputs.champion))
    save_gate_result(result, store)
    return result


def ensure_gate_result(version: int, store: Store, scorer: VersionScorer = DEFAULT_SCORER) -> GateResult:
    """Return the stored result for a version as it is now; where there is none, check the gate. Raises as :func:`check_gate` does."""
    return find_gate_result(version, store) or check_gate(version, store, scorer)


def prepare_review(version: int | None, store: Store) -> int | None:
    """Record alias changes made by hand, and check the gate for a version, unless its result is stored. Raises as :func:`check_gate` does.

    Args:
        version: its number; None takes the challenger.
        store: of the ledger and the results.

    Returns:
        The number of the version; None if no version waits for a decision.
    """
    reconcile.detect_manual_changes(store)
    challenger = model_registry.find_by_alias(CHALLENGER) if version is None else None
    number = version or (challenger.version if challenger else None)
    if number:
        ensure_gate_result(number, store)
    return number


def require_gate_result(version: int, store: Store) -> GateResult:
    """Return the stored result for a version as it is now. Raises MissingGateResultError if there is none, else as :func:`check_gate`."""
    result = find_gate_result(version, store)
    if result is None:
        reason = "its gate result for the current champion, rules and evidence is not computed yet"
        hint = f"An idle worker computes it for the challenger; to compute it now, run `realframe registry gate {version}`."
        raise MissingGateResultError(f"version {version}", reason, hint)
    return result


def require_second_reviewer(candidate: ModelVersion, reviewer: str) -> None:
    """Raise GateError if ``four_eyes`` is set and the reviewer trained the version, or its trainer is unknown."""
    if not gate_rules.load_gate_rules(get_settings()).four_eyes:
        return
    if candidate.trainer == reviewer.strip():
        hint = "Ask another reviewer to decide: `realframe users list`."
        raise GateError(f"version {candidate.version}", f"was trained by {reviewer}, who cannot be its only reviewer (four_eyes)", hint)
    if not candidate.trainer:
        raise GateError(f"version {candidate.version}", "has no recorded trainer (four_eyes)", "Train it again: `realframe run`.")


def require_judgeable(candidate: ModelVersion, kinds: Iterable[str], reason: str) -> dict[str, str]:
    """Return kinds that a reviewer lets a version judge, each with the reason.

    Raises:
        GateError: the reason is empty, or the version does not know a kind, or judges it anyway.
        RegistryError: what the version answers by is missing or was changed.
    """
    requested = sorted(set(kinds))
    if requested and not reason.strip():
        hint = f"Name the reason: --judge {requested[0]} --override WHY."
        raise GateError(f"version {candidate.version}", "needs a reason to judge a kind on which it is not shown to be competent", hint)
    verdict = answer_bundle.read_facts(candidate)["verdict"] if requested else {}
    for kind in requested:
        if kind not in verdict:
            reason_against = f"was trained without {kind}s, so nothing supports a verdict on them"
            raise GateError(f"version {candidate.version}", reason_against, f"Leave out --judge {kind}.")
        if verdict[kind]["competence"]["is_competent"]:
            raise GateError(f"version {candidate.version}", f"gives verdicts on {kind}s anyway", f"Leave out --judge {kind}.")
    return dict.fromkeys(requested, reason.strip())


def require_override_reason(gate: GateResult, reason: str) -> tuple[str, ...]:
    """Return the names of the unmet rules, which ``reason`` overrides. Raises GateError if there are any and the reason is empty."""
    unmet = gate.unmet_rules
    if unmet and not reason.strip():
        descriptions = "; ".join(f"{rule.name} is {rule.status} ({rule.observed}; required: {rule.required})" for rule in unmet)
        hint = "Reject it, or override them with a reason: --override WHY."
        raise GateError(f"version {gate.version}", f"does not meet {len(unmet)} of {len(gate.rules)} rules: {descriptions}", hint)
    return tuple(rule.name for rule in unmet)


def _check_rules(inputs: GateInputs, scorer: VersionScorer) -> list[RuleResult]:
    rules, candidate, champion = inputs.rules, inputs.candidate, inputs.champion
    try:
        evidence = EvidenceFiles.fetch(candidate)
    except RegistryError as error:
        return [RuleResult("evidence", None, str(error), "the metrics and predictions that were registered with the version")]
    results = metric_rules.check_unseen_sources(rules.sources, evidence.metrics) if rules.sources else []
    results += [metric_rules.check_metric(rule, evidence.metrics) for rule in rules.metrics]
    results += [metric_rules.check_slices(rules.slices, evidence.metrics)] if rules.slices else []
    results += [metric_rules.check_robustness(rules.robustness, evidence.metrics)] if rules.robustness else []
    results += [metric_rules.check_shortcut_audit(candidate.shortcuts)] if rules.shortcuts_passed else []
    if rules.competence:
        results += _unknown_on_error(
            metric_rules.COMPETENCE,
            lambda: [metric_rules.check_competence(answer_bundle.read_facts(candidate))],
            "the rule of each kind as it was registered",
        )
    if champion_rule := rules.champion:
        results += _unknown_on_error(champion_rules.RANKING, lambda: check_against_champion(champion_rule, evidence, champion, scorer))
    if regression_rule := rules.regression:
        results += _unknown_on_error(champion_rules.REGRESSION, lambda: [check_regression_set(regression_rule, evidence, champion, scorer)])
    return results


def _unknown_on_error(
    name: str, check: Callable[[], list[RuleResult]], required: str = "the evidence of both versions"
) -> list[RuleResult]:
    """Return the results of ``check``; if what it needs is missing or was changed, one result that is unknown."""
    try:
        return check()
    except RegistryError as error:
        return [RuleResult(name, None, str(error), required)]
