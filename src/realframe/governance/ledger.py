"""Append decisions to the ledger, a hash chain: each entry holds the hash of the one before.

The store has no safe transactions. An entry therefore claims its sequence number under a unique index: of two writers at once the second
is refused, reads the ledger again and repeats its decision. ``verify_chain`` detects an entry that was changed or removed from the middle.
That newest entries were removed, or that the whole ledger was written anew, is detected by what is stored elsewhere: the head after each
entry in git (``runs.ledger_anchor``) and the entry ids on the model versions. ``ledger_audit`` compares all of them.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from realframe.errors import LedgerError, RunError
from realframe.registry.model_registry import ModelVersion
from realframe.runs import ledger_anchor
from realframe.settings import get_settings
from realframe.store.repository import Store
from realframe.store.user_documents import Action, Authentication, Channel, LedgerEntry

log = logging.getLogger(__name__)
_ATTEMPTS = 20
RESTORE_HINT = "Restore the metadata store from a backup."
_NO_PREVIOUS_HASH = ""  # the previous hash of the first entry
_FIELDS_ADDED_LATER = ("channel", "authentication", "overrides", "override_reason")  # older entries were hashed without these fields
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
    "evidence_digest",
    "answer_digest",
    "figures",
    "baseline",
)


class Decision(BaseModel):
    """A decision to append.

    Attributes:
        action: what was decided.
        version: the model version.
        model_sha256: SHA-256 of that version's Keras file.
        reviewer: who decided; empty for a time-out or a change by hand.
        comment: why.
        evidence: the facts of the candidate and the champion, the gate result and the uses of the test split.
        channel: the interface that the decision was entered in.
        authentication: how the reviewer's name was verified.
        overrides: names of the unmet rules that are overridden.
        override_reason: why they are overridden.
    """

    action: Action
    version: int
    model_sha256: str
    reviewer: str
    comment: str
    evidence: dict[str, Any]
    channel: Channel
    authentication: Authentication
    overrides: tuple[str, ...] = ()
    override_reason: str = ""


def list_entries(store: Store) -> list[LedgerEntry]:
    """Return all entries, oldest first."""
    return sorted(store.find(LedgerEntry), key=lambda entry: entry.sequence)


def append_entry(store: Store, decide: Callable[[], Decision]) -> LedgerEntry:
    """Write the next entry, anchor it in git, and return it. If it cannot be anchored, a warning is logged and the decision stands.

    Args:
        store: of the ledger.
        decide: returns the decision or raises; called again if another process appended an entry first, since that may change the decision.

    Raises:
        LedgerError: other processes appended an entry first in every attempt.
    """
    for _ in range(_ATTEMPTS):
        last = store.find_highest(LedgerEntry, "sequence")
        decision = decide()
        facts = {
            "sequence": last.sequence + 1 if last else 1,
            "previous_hash": last.hash if last else _NO_PREVIOUS_HASH,
            **decision.model_dump(mode="json"),
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        entry = LedgerEntry(hash=hash_entry(facts), **facts)
        try:
            store.insert(entry)
        except LedgerError:
            continue
        anchor_entry(entry)
        return entry
    raise LedgerError("ledger", f"other processes appended an entry first in {_ATTEMPTS} attempts", "Run the command again.")


def hash_entry(facts: dict[str, Any]) -> str:
    """Return the SHA-256 of an entry without its hash, as canonical JSON: keys sorted, no spaces, ASCII."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def anchor_entry(entry: LedgerEntry) -> None:
    """Anchor an entry in git, unless it is anchored already; log a warning if git cannot be used."""
    try:
        ledger_anchor.write_anchor(entry, get_settings())
    except RunError as error:
        log.warning("ledger entry %s is recorded, but its head is not anchored in git: %s", entry.sequence, error.reason)


def publish_anchors(*, accept_rewritten: bool = False) -> None:
    """Push the anchors to the git remote where one is set; log a warning if that fails. Call it without a lock: it uses the network."""
    if problem := ledger_anchor.publish(get_settings(), accept_rewritten=accept_rewritten):
        log.warning(problem)


def verify_chain(store: Store) -> int:
    """Verify the hash chain and return its length. Raises LedgerError, which names the first entry that is missing, replaced or changed."""
    chain = list_entries(store)
    for number, reason in find_chain_faults(chain):
        raise LedgerError(f"ledger entry {number}", reason, RESTORE_HINT)
    return len(chain)


def find_chain_faults(chain: list[LedgerEntry]) -> Iterator[tuple[int, str]]:
    """Yield the number of each entry that is missing, replaced or changed, and what is wrong with it."""
    previous, number = _NO_PREVIOUS_HASH, 0
    for entry in chain:
        number += 1
        if entry.sequence != number:
            yield number, f"is missing; entry {entry.sequence} is in its place"
            number = entry.sequence
        elif entry.previous_hash != previous:
            yield number, f"does not contain the hash of entry {number - 1}: that entry was replaced"
        if compute_entry_hash(entry) != entry.hash:
            yield number, "was changed after it was written"
        previous = entry.hash


def compute_entry_hash(entry: LedgerEntry) -> str:
    """Return the hash that the entry should have."""
    return hash_entry(_decision_facts(entry))


def _decision_facts(entry: LedgerEntry) -> dict[str, Any]:
    """Return the fields that the entry was hashed with."""
    facts = entry.model_dump(mode="json", exclude={"hash"})
    return {name: value for name, value in facts.items() if value is not None or name not in _FIELDS_ADDED_LATER}


def format_entry_id(entry: LedgerEntry) -> str:
    """Return the id of an entry that is stored on its model version: ``<sequence> <hash>``."""
    return f"{entry.sequence} {entry.hash}"


def evidence_record(candidate: ModelVersion, champion: ModelVersion | None) -> dict[str, Any]:
    """Return the facts of the candidate and of the current champion that an entry records."""
    return {"candidate": _facts(candidate), "champion": _facts(champion) if champion else None}


def _facts(version: ModelVersion) -> dict[str, Any]:
    return {name: getattr(version, name) for name in _FACTS}
