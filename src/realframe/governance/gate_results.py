"""The result of the gate as data: computed once, stored, and read by pages, Airflow and decisions, which compute nothing themselves.

A result is found by a digest of everything that it depends on: the registered facts of the version and of the champion (the digests of
their evidence among them), the rules, and the code that checks them. Once any of these changes, the old result is not found any more.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from realframe.caching.code_digest import code_digest
from realframe.governance import champion_history, gate_rules, ledger, reconcile
from realframe.governance.gate_rules import GateRules, RuleResult
from realframe.governance.version_comparison import ReviewedMistake, VersionComparison
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.settings import get_settings
from realframe.store.document_base import format_current_time
from realframe.store.repository import Store
from realframe.store.user_documents import GateRecord

TABLE_TITLES = ("rule", "outcome", "observed", "required")
"""The columns of ``GateResult.rows``."""
_CHANGING_FACTS = ("aliases", "decision")  # of a version; they do not decide the result
_CODE = "realframe.governance.gate"


@dataclass(frozen=True)
class GateInputs:
    """What a result is computed from.

    Attributes:
        candidate: the version.
        champion: the champion that it is compared with; None if there is no other one.
        rules: the rules of the checkout.
    """

    candidate: ModelVersion
    champion: ModelVersion | None
    rules: GateRules

    @classmethod
    def load(cls, version: int, store: Store) -> Self:
        """Read the inputs of a version. Raises GateError if the rules cannot be read, RegistryError, MetadataError."""
        rules, candidate = gate_rules.load_gate_rules(get_settings()), model_registry.get_version(version)
        return cls(candidate, find_comparison_champion(candidate, store), rules)

    @property
    def digest(self) -> str:
        """SHA-256 of everything that the result depends on."""
        facts = {
            "candidate": _stable_facts(self.candidate),
            "champion": _stable_facts(self.champion) if self.champion else None,
            "rules": self.rules.model_dump(mode="json"),
            "code": code_digest(_CODE),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class GateResult:
    """The outcome of all rules, and the comparison that a reviewer reads next to it.

    Attributes:
        digest: SHA-256 of everything that the result depends on.
        version: number of the candidate.
        champion: number of the champion that it was compared with; None if there is no other one.
        rules: in the order of the file.
        comparison: the candidate next to the champion.
        created: when the result was computed, UTC, ISO 8601.
    """

    digest: str
    version: int
    champion: int | None
    rules: tuple[RuleResult, ...]
    comparison: VersionComparison
    created: str

    @classmethod
    def build(cls, inputs: GateInputs, rules: tuple[RuleResult, ...], comparison: VersionComparison) -> Self:
        """Return the result that was computed from the inputs now."""
        champion = inputs.champion.version if inputs.champion else None
        return cls(inputs.digest, inputs.candidate.version, champion, rules, comparison, format_current_time())

    @property
    def unmet_rules(self) -> tuple[RuleResult, ...]:
        """The rules that are not met or whose outcome is unknown."""
        return tuple(rule for rule in self.rules if rule.is_met is not True)

    @property
    def headline(self) -> str:
        """The outcome in a sentence, for the terminal, Airflow and the page."""
        unmet, total = len(self.unmet_rules), len(self.rules)
        if not unmet:
            return f"All {total} rules are met."
        return f"{unmet} of {total} rules {'is' if unmet == 1 else 'are'} not met: an approval needs a reason to override."

    @property
    def rows(self) -> tuple[tuple[str, str, str, str], ...]:
        """One row per rule, as ``TABLE_TITLES`` names its columns."""
        return tuple((rule.name, rule.status, rule.observed, rule.required) for rule in self.rules)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome of the rules as JSON-compatible values, for the ledger and for programs."""
        facts = {"digest": self.digest, "version": self.version, "champion": self.champion, "created": self.created}
        return facts | {"rules": [asdict(rule) for rule in self.rules]}


def find_comparison_champion(candidate: ModelVersion, store: Store) -> ModelVersion | None:
    """Return the champion to compare a version with: the current one or, if that is the version itself, the one before it.

    A champion that was set by hand counts already before the ledger has an entry about it.
    """
    chain, versions = ledger.list_entries(store), model_registry.list_versions()
    periods = champion_history.build_champion_periods(champion_history.select_valid_entries(chain, versions))
    change = reconcile.find_manual_change(chain, versions)
    numbers = [period.version for period in periods] + ([change.version] if change and change.action == "alias_set" else [])
    former = [number for number in numbers if number not in (None, candidate.version)]
    return next(version for version in versions if version.version == former[-1]) if former else None


def find_gate_result(version: int, store: Store) -> GateResult | None:
    """Return the stored result for a version as it is now, or None if there is none yet; nothing is computed or written.

    Raises GateError if the rules cannot be read, RegistryError, MetadataError.
    """
    record = store.get(GateRecord, GateInputs.load(version, store).digest)
    return _from_record(record) if record else None


def save_gate_result(result: GateResult, store: Store) -> None:
    """Store a result. Raises MetadataError."""
    store.upsert([GateRecord.model_validate(result.as_dict() | asdict(result.comparison))])


def _from_record(record: GateRecord) -> GateResult:
    return GateResult(
        digest=record.digest,
        version=record.version,
        champion=record.champion,
        rules=tuple(RuleResult(**rule.model_dump()) for rule in record.rules),
        comparison=VersionComparison(
            figures=record.figures,
            changes=record.changes,
            warnings=record.warnings,
            mistakes=tuple(ReviewedMistake(**mistake.model_dump()) for mistake in record.mistakes),
        ),
        created=record.created,
    )


def _stable_facts(version: ModelVersion) -> dict[str, Any]:
    return {name: value for name, value in asdict(version).items() if name not in _CHANGING_FACTS}
