"""The line of champions, as the ledger tells it: who was champion after whom, and whether a review had made them so."""

from collections.abc import Iterable
from dataclasses import dataclass

from bonafide.metadata.schema import Entry
from bonafide.tracking.registry import ModelVersion

CROWNING = ("approve", "rollback", "ungated", "removed")
"""The actions after which another version, or none, is champion."""


@dataclass(frozen=True)
class Reign:
    """A stretch of time with one champion.

    Attributes:
        version: the champion; None where the alias was taken off by hand.
        gated: a reviewer made it champion, and not someone who set the alias past the review.
        entry: of the ledger, which says so.
    """

    version: int | None
    gated: bool
    entry: Entry


def binding(chain: Iterable[Entry], versions: Iterable[ModelVersion]) -> list[Entry]:
    """Return the entries about the very files that are in the registry; after that was replaced, the older ones bind nothing."""
    files = {version.version: version.sha256 for version in versions}
    return [entry for entry in chain if files.get(entry.version) == entry.model_sha256]


def line(bound: Iterable[Entry]) -> list[Reign]:
    """Return the reigns, the present one last: a rollback cuts the line back to the version that it returns to."""
    reigns: list[Reign] = []
    for entry in bound:
        if entry.action == "rollback":
            while reigns and reigns[-1].version != entry.version:
                reigns.pop()
            gated = reigns.pop().gated if reigns else True
            reigns.append(Reign(entry.version, gated, entry))
        elif entry.action in CROWNING:
            reigns.append(Reign(None if entry.action == "removed" else entry.version, entry.action == "approve", entry))
    return reigns


def former_champions(chain: Iterable[Entry], versions: Iterable[ModelVersion]) -> list[int]:
    """Return the versions that were champion before the present one, each once, the latest last."""
    reigns = line(binding(chain, versions))
    if not reigns:
        return []
    before = [reign.version for reign in reigns[:-1] if reign.version not in (None, reigns[-1].version)]
    return [version for place, version in enumerate(before) if version is not None and version not in before[place + 1 :]]


def ungated(chain: Iterable[Entry], versions: Iterable[ModelVersion]) -> Entry | None:
    """Return the entry which says that the present champion, or that there is none, came past the review; None where a review did it."""
    reigns = line(binding(chain, versions))
    return reigns[-1].entry if reigns and not reigns[-1].gated else None
