"""The line of champions, as the ledger tells it: who was champion after whom, and whether a review had made them so.

How often a locked test split was used for a decision: each use lets the choice fit it a little more.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from realframe.governance import ledger
from realframe.registry import model_registry
from realframe.registry.model_registry import ModelVersion
from realframe.store.documents import LedgerEntry
from realframe.store.repository import Store

PROMOTING_ACTIONS = ("approve", "rollback", "ungated", "removed")
"""The actions after which another version, or none, is champion."""


@dataclass(frozen=True)
class ChampionPeriod:
    """A stretch of time with one champion.

    Attributes:
        version: the champion; None where the alias was taken off by hand.
        gated: a reviewer made it champion, and not someone who set the alias past the review.
        entry: of the ledger, which says so.
    """

    version: int | None
    gated: bool
    entry: LedgerEntry


def binding(chain: Iterable[LedgerEntry], versions: Iterable[ModelVersion]) -> list[LedgerEntry]:
    """Return the entries about the very files that are in the registry; after that was replaced, the older ones bind nothing."""
    files = {version.version: version.sha256 for version in versions}
    return [entry for entry in chain if files.get(entry.version) == entry.model_sha256]


def champion_periods(bound: Iterable[LedgerEntry]) -> list[ChampionPeriod]:
    """Return the reigns, the present one last: a rollback cuts the line back to the version that it returns to."""
    reigns: list[ChampionPeriod] = []
    for entry in bound:
        if entry.action == "rollback":
            while reigns and reigns[-1].version != entry.version:
                reigns.pop()
            gated = reigns.pop().gated if reigns else True
            reigns.append(ChampionPeriod(entry.version, gated, entry))
        elif entry.action in PROMOTING_ACTIONS:
            reigns.append(ChampionPeriod(None if entry.action == "removed" else entry.version, entry.action == "approve", entry))
    return reigns


def former_champions(chain: Iterable[LedgerEntry], versions: Iterable[ModelVersion]) -> list[int]:
    """Return the versions that were champion before the present one, each once, the latest last."""
    reigns = champion_periods(binding(chain, versions))
    if not reigns:
        return []
    before = [reign.version for reign in reigns[:-1] if reign.version not in (None, reigns[-1].version)]
    return [version for place, version in enumerate(before) if version is not None and version not in before[place + 1 :]]


def ungated(chain: Iterable[LedgerEntry], versions: Iterable[ModelVersion]) -> LedgerEntry | None:
    """Return the entry which says that the present champion, or that there is none, came past the review; None where a review did it."""
    reigns = champion_periods(binding(chain, versions))
    return reigns[-1].entry if reigns and not reigns[-1].gated else None


RESTED = ("approve", "reject", "changes")
"""The actions that rest on the figures of the test split."""


@dataclass(frozen=True)
class TestSplitUsage:
    """The use of one test split.

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
            return "Which test split it was tested on is not known."
        decisions = "no decision" if not self.decisions else f"{self.decisions} decision{'s' * (self.decisions > 1)}"
        versions = f"{self.versions} version{'s' * (self.versions > 1)}"
        return f"Test split {self.digest}: {versions} tested on it, and {decisions} so far rested on it."


def count_test_split_usage(version: ModelVersion, store: Store) -> TestSplitUsage:
    """Count the uses of the split that a version was tested on. Raises MetadataError."""
    digest = version.test_split
    rested = [entry.evidence.get("candidate") or {} for entry in ledger.entries(store) if entry.action in RESTED]
    decisions = sum(bool(digest) and facts.get("test_split") == digest for facts in rested)
    tested = sum(bool(digest) and other.test_split == digest for other in model_registry.versions())
    return TestSplitUsage(digest, decisions, tested)
