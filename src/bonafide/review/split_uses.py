"""How often a locked test split was used for a decision: each use lets the choice fit it a little more."""

from dataclasses import dataclass

from bonafide.metadata.store import Store
from bonafide.review import ledger
from bonafide.tracking import registry
from bonafide.tracking.registry import ModelVersion

RESTED = ("approve", "reject", "changes")
"""The actions that rest on the figures of the test split."""


@dataclass(frozen=True)
class SplitUses:
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


def count(version: ModelVersion, store: Store) -> SplitUses:
    """Count the uses of the split that a version was tested on. Raises MetadataError."""
    digest = version.test_split
    rested = [entry.evidence.get("candidate") or {} for entry in ledger.entries(store) if entry.action in RESTED]
    decisions = sum(bool(digest) and facts.get("test_split") == digest for facts in rested)
    tested = sum(bool(digest) and other.test_split == digest for other in registry.versions())
    return SplitUses(digest, decisions, tested)
