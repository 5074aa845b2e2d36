"""The gate: each rule of ``mlflow/gate.yaml``, met or not, before a version may become champion."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bonafide.errors import GateError, RegistryError
from bonafide.metadata.store import Store
from bonafide.review import ledger, on_figures, on_rival, reign, rules
from bonafide.review.checked import Checked
from bonafide.review.documents import Documents
from bonafide.review.rules import Rules
from bonafide.settings import get_settings
from bonafide.tracking import registry
from bonafide.tracking.registry import ModelVersion


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
    rules: tuple[Checked, ...]

    @property
    def unmet(self) -> tuple[Checked, ...]:
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
    asked, candidate = rules.load(get_settings()), registry.get(version)
    rival = rival_of(candidate, store)
    return Gate(version, rival.version if rival else None, tuple(_checked(asked, candidate, rival)))


def rival_of(candidate: ModelVersion, store: Store) -> ModelVersion | None:
    """Return the champion to compare a version with: the present one, or where that is the version itself, the one before it."""
    versions = {version.version: version for version in registry.versions()}
    reigns = reign.line(reign.binding(ledger.entries(store), versions.values()))
    former = [other.version for other in reigns if other.version not in (None, candidate.version)]
    return versions[former[-1]] if former else None


def refuse_own(candidate: ModelVersion, reviewer: str) -> None:
    """Raise GateError where four eyes are asked for and the reviewer is the one who trained the version, or nobody knows who did."""
    if not rules.load(get_settings()).four_eyes:
        return
    if candidate.trainer == reviewer.strip():
        cure = "Ask another reviewer to decide: `bonafide users list`."
        raise GateError(f"version {candidate.version}", f"was trained by {reviewer}, who can't be its only reviewer (four_eyes)", cure)
    if not candidate.trainer:
        raise GateError(f"version {candidate.version}", "does not say who trained it (four_eyes)", "Train it anew: `bonafide run`.")


def overridden(gate: Gate, reason: str) -> tuple[str, ...]:
    """Return the names of the rules that are overridden. Raises GateError where there are any and no reason is given."""
    unmet = gate.unmet
    if unmet and not reason.strip():
        told = "; ".join(f"{rule.name} is {rule.word} ({rule.said}; needed: {rule.needed})" for rule in unmet)
        cure = "Reject it, or override them with a reason: --override WHY."
        raise GateError(f"version {gate.version}", f"does not meet {len(unmet)} of {len(gate.rules)} rules: {told}", cure)
    return tuple(rule.name for rule in unmet)


def _checked(asked: Rules, candidate: ModelVersion, rival: ModelVersion | None) -> list[Checked]:
    try:
        documents = Documents.of(candidate)
    except RegistryError as error:
        return [Checked("evidence", None, str(error), "the figures and predictions that were registered with the version")]
    checked = [on_figures.figure(rule, documents.metrics) for rule in asked.figures]
    checked += [on_figures.slices(asked.slices, documents.metrics)] if asked.slices else []
    checked += [on_figures.robustness(asked.robustness, documents.metrics)] if asked.robustness else []
    checked += [on_figures.shortcuts(candidate.shortcuts)] if asked.shortcuts_passed else []
    if beside := asked.champion:
        checked += _or_unknown(on_rival.RANKING, lambda: on_rival.champion(beside, documents, rival))
    if mistakes := asked.regression:
        checked += _or_unknown(on_rival.REGRESSION, lambda: [on_rival.regression(mistakes, documents, rival)])
    return checked


def _or_unknown(name: str, compare: Callable[[], list[Checked]]) -> list[Checked]:
    """What a champion without usable evidence leaves open stops an approval as well."""
    try:
        return compare()
    except RegistryError as error:
        return [Checked(name, None, str(error), "the evidence of both")]
