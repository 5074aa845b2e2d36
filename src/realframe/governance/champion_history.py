"""Derive from the ledger which versions were champion, in order, and how often each test split was used for decisions.

A test split that many decisions rest on is no longer independent of them: each use lets the choice fit it a little more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from realframe.governance import ledger
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry

PROMOTING_ACTIONS = ("approve", "rollback", "alias_set", "alias_removed")
"""The actions that change the champion; ``alias_removed`` leaves none."""

TEST_SPLIT_ACTIONS = ("approve", "reject", "request_changes")
"""The actions that rest on the metrics of the test split."""


@dataclass(frozen=True)
class ChampionPeriod:
    """A period with one champion.

    Attributes:
        version: the champion; None where the alias was removed by hand.
        is_approved: whether a reviewer approved it, rather than someone setting the alias in MLflow.
        entry: the ledger entry that began the period.
    """

    version: int | None
    is_approved: bool
    entry: LedgerEntry


def select_valid_entries(chain: Iterable[LedgerEntry], versions: Iterable[ModelVersion]) -> list[LedgerEntry]:
    """Return the entries whose model file is still the registered one; entries of a registry that was replaced have no effect."""
    files = {version.version: version.sha256 for version in versions}
    return [entry for entry in chain if files.get(entry.version) == entry.model_sha256]


def build_champion_periods(entries: Iterable[LedgerEntry]) -> list[ChampionPeriod]:
    """Return the champion periods, the current one last. A rollback removes the periods after the version that it returns to."""
    periods: list[ChampionPeriod] = []
    for entry in entries:
        if entry.action == "rollback":
            while periods and periods[-1].version != entry.version:
                periods.pop()
            is_approved = periods.pop().is_approved if periods else True
            periods.append(ChampionPeriod(entry.version, is_approved, entry))
        elif entry.action in PROMOTING_ACTIONS:
            periods.append(ChampionPeriod(None if entry.action == "alias_removed" else entry.version, entry.action == "approve", entry))
    return periods


def list_former_champions(chain: Iterable[LedgerEntry], versions: Iterable[ModelVersion]) -> list[int]:
    """Return the versions that were champion before the current one, each once, the latest last."""
    periods = build_champion_periods(select_valid_entries(chain, versions))
    if not periods:
        return []
    earlier = [period.version for period in periods[:-1] if period.version not in (None, periods[-1].version)]
    return [version for index, version in enumerate(earlier) if version is not None and version not in earlier[index + 1 :]]


def find_unapproved_promotion(chain: Iterable[LedgerEntry], versions: Iterable[ModelVersion]) -> LedgerEntry | None:
    """Return the entry that changed the current champion without a review, or None where a review did."""
    periods = build_champion_periods(select_valid_entries(chain, versions))
    return periods[-1].entry if periods and not periods[-1].is_approved else None


@dataclass(frozen=True)
class SplitUsage:
    """How often one test split was used.

    Attributes:
        digest: of the split's items; empty where unknown.
        decisions: how many decisions in the ledger rested on it.
        versions: how many registered versions were tested on it.
    """

    digest: str
    decisions: int
    versions: int

    def __str__(self) -> str:
        if not self.digest:
            return "The test split of this version is unknown."
        decisions = f"{self.decisions or 'no'} decision{'s' * (self.decisions > 1)}"
        versions = f"{self.versions} version{'s' * (self.versions > 1)}"
        return f"Test split {self.digest}: used to test {versions} and for {decisions} so far."


def count_split_usage(version: ModelVersion, store: Store) -> SplitUsage:
    """Count the uses of the split that a version was tested on. Raises MetadataError."""
    digest = version.test_split
    candidates = [entry.evidence.get("candidate") or {} for entry in ledger.list_entries(store) if entry.action in TEST_SPLIT_ACTIONS]
    decisions = sum(bool(digest) and facts.get("test_split") == digest for facts in candidates)
    versions = sum(bool(digest) and other.test_split == digest for other in model_registry.list_versions())
    return SplitUsage(digest, decisions, versions)
