"""What the ledger keeps of the evidence that a decision rests on.

The ledger of decisions: append-only, each entry holding the hash of the one before.

The store has no safe transactions. An entry therefore claims its sequence number under a unique index: of two who write at once the
second is refused, reads again and decides again on what it then finds. What is in an entry can't be changed, and no entry can be taken
out of the middle, without ``verify`` seeing it; that the newest ones were taken off shows by the decisions noted on the model versions.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from realframe.errors import LedgerError
from realframe.registry.model_registry import ModelVersion
from realframe.store.documents import Action, Authenticated, LedgerEntry, Via
from realframe.store.repository import Store

_FACTS = (
    "version",
    "sha256",
    "dataset",
    "commit",
    "recipe",
    "run_id",
    "trainer",
    "threshold",
    "below_baseline",
    "shortcuts",
    "test_split",
    "evidence",
    "figures",
    "baseline",
)


def evidence_record(candidate: ModelVersion, champion: ModelVersion | None) -> dict[str, Any]:
    """Return the candidate's facts, and those of the champion at that time."""
    return {"candidate": _facts(candidate), "champion": _facts(champion) if champion else None}


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in _FACTS}


_ATTEMPTS = 20
_FIRST = ""  # what stands in the first entry as the hash of the one before
_SINCE = ("via", "authenticated", "overrides", "reason")  # entries from before these fields were hashed without them


class Decision(BaseModel):
    """What is to be written down.

    Attributes:
        action: what was decided.
        version: the model version that it is about.
        model_sha256: of that version's Keras file.
        reviewer: who decided; empty where nobody did.
        comment: why.
        evidence: what the reviewer was shown, and who was champion then.
        via: the door that it came through.
        authenticated: what vouches for the reviewer's name.
        overrides: the rules that were not met and are overridden.
        reason: why they are.
    """

    action: Action
    version: int
    model_sha256: str
    reviewer: str
    comment: str
    evidence: dict[str, Any]
    via: Via
    authenticated: Authenticated
    overrides: tuple[str, ...] = ()
    reason: str = ""


def entries(store: Store) -> list[LedgerEntry]:
    """Return all entries, oldest first."""
    return sorted(store.find(LedgerEntry), key=lambda entry: entry.sequence)


def append(store: Store, decide: Callable[[], Decision]) -> LedgerEntry:
    """Write the next entry and return it once it is safe on disk.

    Args:
        store: of the ledger.
        decide: gives the decision, or refuses it; asked again where another writer came first, since that may change the answer.

    Raises:
        LedgerError: others come first every time.
    """
    for _ in range(_ATTEMPTS):
        last = store.newest(LedgerEntry, "sequence")
        decision = decide()
        facts = {
            "sequence": last.sequence + 1 if last else 1,
            "previous": last.hash if last else _FIRST,
            **decision.model_dump(mode="json"),
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        entry = LedgerEntry(hash=digest(facts), **facts)
        try:
            store.insert(entry)
        except LedgerError:
            continue
        return entry
    raise LedgerError("ledger", f"other writers came first {_ATTEMPTS} times", "Try again.")


def digest(facts: dict[str, Any]) -> str:
    """Return the SHA-256 of an entry without its hash, as canonical JSON: keys sorted, no spaces, ASCII."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def verify(store: Store, noted: Iterable[str] = ()) -> int:
    """Walk the chain and return its length.

    Args:
        store: of the ledger.
        noted: decisions as they stand on the model versions, ``<sequence> <hash>``; each must be in the chain.

    Raises:
        LedgerError: naming the first entry that is not as it was written.
    """
    chain = entries(store)
    before = _FIRST
    for place, entry in enumerate(chain, start=1):
        if entry.sequence != place:
            raise LedgerError(f"ledger entry {place}", f"is missing; entry {entry.sequence} stands in its place")
        if entry.previous != before:
            raise LedgerError(f"ledger entry {place}", "does not follow from the one before: that one was replaced")
        if digest(_decision_facts(entry)) != entry.hash:
            raise LedgerError(f"ledger entry {place}", "was changed after it was written")
        before = entry.hash
    known = {note(entry) for entry in chain}
    for decision in noted:
        if decision not in known:
            raise LedgerError(f"ledger entry {decision.partition(' ')[0]}", "is noted on a model version, but is not in the ledger")
    return len(chain)


def _decision_facts(entry: LedgerEntry) -> dict[str, Any]:
    """Return the fields that the entry was written with."""
    facts = entry.model_dump(mode="json", exclude={"hash"})
    return {name: value for name, value in facts.items() if value is not None or name not in _SINCE}


def note(entry: LedgerEntry) -> str:
    """Return what is noted on the model version: where the entry stands, and its hash."""
    return f"{entry.sequence} {entry.hash}"
