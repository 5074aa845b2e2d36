"""Makes the model registry say what the ledger says: the aliases, and on each version a note of the decision on it.

An alias ``champion`` that was moved by hand, past the review, is moved back. Entries about a version whose Keras file is not the one
in the registry (the registry was replaced) bind nothing.
"""

import logging
from collections.abc import Iterable

from bonafide.metadata.schema import Entry
from bonafide.metadata.store import Store
from bonafide.review import ledger
from bonafide.tracking import registry
from bonafide.tracking.registry import CHALLENGER, CHAMPION, ModelVersion

log = logging.getLogger(__name__)
_DECIDED = ("approve", "reject")


def follow(store: Store) -> Entry | None:
    """Carry out what the ledger says; return its newest entry where anything had to be done, else None."""
    done = None
    while chain := ledger.entries(store):
        if _aligned(chain):
            done = chain[-1]
        newest = store.newest(Entry, "sequence")
        if newest and newest.sequence == chain[-1].sequence:  # else someone on another machine decided meanwhile
            break
    return done


def former_champions(chain: Iterable[Entry], versions: Iterable[ModelVersion]) -> list[int]:
    """Return the versions that were champion before the present one, each once, the latest last."""
    line = _line(_binding(chain, versions))
    return [version for place, version in enumerate(line[:-1]) if version != line[-1] and version not in line[place + 1 : -1]]


def _aligned(chain: list[Entry]) -> bool:
    """Change what differs; return whether anything did."""
    versions = registry.versions()
    binding = _binding(chain, versions)
    changed = False
    for version in versions:
        about = [entry for entry in binding if entry.version == version.version]
        if CHALLENGER in version.aliases and any(entry.action in _DECIDED for entry in about):
            registry.drop_alias(CHALLENGER)
            changed = True
        if about and version.decision != ledger.note(about[-1]):
            registry.note_decision(version.version, ledger.note(about[-1]))
            changed = True
    line = _line(binding)
    return _crowned(line[-1], versions) or changed if line else changed


def _crowned(champion: int, versions: list[ModelVersion]) -> bool:
    holder = next((version.version for version in versions if CHAMPION in version.aliases), None)
    if holder == champion:
        return False
    registry.set_alias(CHAMPION, champion)
    log.info("champion: version %s, as the ledger says (was: %s)", champion, holder or "none")
    return True


def _binding(chain: Iterable[Entry], versions: Iterable[ModelVersion]) -> list[Entry]:
    files = {version.version: version.sha256 for version in versions}
    return [entry for entry in chain if files.get(entry.version) == entry.model_sha256]


def _line(binding: Iterable[Entry]) -> list[int]:
    """The line of champions, the present one last: an approval adds to it, a rollback cuts it back to the version it returns to."""
    line: list[int] = []
    for entry in binding:
        if entry.action == "approve":
            line.append(entry.version)
        elif entry.action == "rollback":
            while line and line[-1] != entry.version:
                line.pop()
            line = line or [entry.version]
    return line
