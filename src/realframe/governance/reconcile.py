"""Reconcile the model registry with the ledger: apply decisions to the registry, and record alias changes made by hand.

A decision is first written to the ledger; then the alias ``champion`` is set; last, a reference to the entry is stored on its version. An
entry without that reference is therefore pending: a process died before it was applied. If the newest entry about the champion is not
pending and the alias points to another version, someone moved the alias by hand: it stays, and the ledger gets an entry about it.
Tags are read before aliases and aliases before the ledger, so that a decision on another machine at that moment is not mistaken for a
change by hand.

The direction is always from the ledger to the registry, and only where a reference is missing or older. Where the registry or the anchors
in git know of a decision that the ledger lacks, the ledger was changed: then nothing is written, and the alarm stays (``ledger_audit``).
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from realframe.errors import DecisionBusyError
from realframe.governance import ledger, ledger_audit
from realframe.governance.champion_history import build_champion_periods, select_valid_entries
from realframe.governance.ledger import Decision
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION, ModelVersion
from realframe.runs import ledger_anchor
from realframe.settings import get_settings
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry

log = logging.getLogger(__name__)
_LOCK_TIMEOUT_S = 10.0
_DECIDING_ACTIONS = ("approve", "reject", "request_changes")


class _NoManualChangeError(Exception):
    """The alias is where the ledger says."""


@contextmanager
def review_lock() -> Iterator[None]:
    """Let one process of this machine decide at a time; decisions on several machines are kept apart by the ledger.

    Hold it only while the ledger and the registry are read and written, never while something is computed. The registry is read once
    before, so that a tracking server that does not answer stops nobody else. Raises DecisionBusyError where another process holds the
    lock for more than ten seconds.
    """
    model_registry.list_versions()
    lock = FileLock(get_settings().state_dir / "review.lock")
    try:
        lock.acquire(timeout=_LOCK_TIMEOUT_S)
    except Timeout as error:
        reason = f"another process has been recording a decision for more than {_LOCK_TIMEOUT_S:g} s; try again in a moment"
        raise DecisionBusyError("review", reason) from error
    try:
        yield
    finally:
        lock.release()


def detect_manual_changes(store: Store) -> list[LedgerEntry]:
    """Apply pending entries, record an alias ``champion`` that was set or removed by hand, and return the entries recorded for that.

    While an alarm about the ledger is open, nothing is changed and the alarm is logged. Raises LedgerError, MetadataError.
    """
    with review_lock():
        newest = store.find_highest(LedgerEntry, "sequence")
        apply_ledger(store)
        recorded = [entry for entry in ledger.list_entries(store) if newest is None or entry.sequence > newest.sequence]
    if recorded:
        ledger.publish_anchors()
    return recorded


def apply_ledger(store: Store) -> LedgerEntry | None:
    """Do the same without taking the lock, for a caller that holds it; return the newest entry if it was pending and is now applied."""
    applied = None
    while True:
        versions = model_registry.list_versions()
        anchors = ledger_anchor.read_heads(get_settings())
        chain = ledger.list_entries(store)
        if alarms := ledger_audit.find_open_alarms(chain, versions, anchors):
            log.error("the registry is not compared with the ledger, which is contradicted: %s", "; ".join(map(str, alarms)))
            return applied
        if _apply_entries(chain, versions):
            applied = chain[-1]
        elif find_manual_change(chain, versions):
            _record_manual_change(store)
        else:
            return applied


def _apply_entries(chain: list[LedgerEntry], versions: list[ModelVersion]) -> bool:
    """Change aliases and references that differ from the ledger; return whether anything changed."""
    entries = select_valid_entries(chain, versions)
    periods = build_champion_periods(entries)
    has_changed = _is_pending(chain, versions) and periods[-1].version is not None and _set_champion(periods[-1].version, versions)
    for version in versions:
        own_entries = [entry for entry in entries if entry.version == version.version]
        if CHALLENGER in version.aliases and any(entry.action in _DECIDING_ACTIONS for entry in own_entries):
            _clear_challenger()
            has_changed = True
        if own_entries and version.decision != ledger.format_entry_id(own_entries[-1]):
            model_registry.set_decision(version.version, ledger.format_entry_id(own_entries[-1]))
            has_changed = True
        elif version.decision and not own_entries:  # no alarm is open, so a person has settled that this decision is not in the ledger
            model_registry.set_decision(version.version, "")
            has_changed = True
    return has_changed


def find_manual_change(chain: list[LedgerEntry], versions: list[ModelVersion]) -> Decision | None:
    """Return the decision to record if the alias was moved by hand, else None; nothing is written."""
    periods = build_champion_periods(select_valid_entries(chain, versions))
    expected = periods[-1].version if periods else None
    actual = _find_champion_number(versions)
    if actual == expected or _is_pending(chain, versions):
        return None
    moved_version = next(version for version in versions if version.version == (actual or expected))
    previous_champion = next((version for version in versions if version.version == expected), None)
    return Decision(
        action="alias_set" if actual else "alias_removed",
        version=moved_version.version,
        model_sha256=moved_version.sha256,
        reviewer="",
        comment=f"the alias {CHAMPION} was {'set' if actual else 'removed'} by hand in MLflow, without a review",
        evidence=ledger.evidence_record(moved_version, previous_champion if actual else None),
        channel="mlflow",
        authentication="none",
    )


def _record_manual_change(store: Store) -> None:
    """Record that the alias was moved, unless another machine has done so meanwhile."""

    def decide() -> Decision:
        versions = model_registry.list_versions()
        decision = find_manual_change(ledger.list_entries(store), versions)
        if decision is None:
            raise _NoManualChangeError
        return decision

    try:
        entry = ledger.append_entry(store, decide)
    except _NoManualChangeError:
        return
    log.warning("version %s: %s (ledger entry %s)", entry.version, entry.comment, entry.sequence)


def _is_pending(chain: list[LedgerEntry], versions: list[ModelVersion]) -> bool:
    """Return whether the newest entry about the champion is pending: its version refers neither to it nor to a later entry."""
    periods = build_champion_periods(select_valid_entries(chain, versions))
    if not periods:
        return False
    sequences = {ledger.format_entry_id(entry): entry.sequence for entry in chain}
    applied = {version.version: sequences.get(version.decision, 0) for version in versions}
    newest = periods[-1].entry
    return newest.sequence > applied[newest.version]


def _set_champion(version: int, versions: Iterable[ModelVersion]) -> bool:
    """Point the alias ``champion`` to a version.

    Args:
        version: number of the new champion.
        versions: the registry as it was read last; tells which version has the alias now.

    Returns:
        Whether the alias moved.
    """
    current = _find_champion_number(versions)
    if current == version:
        return False
    model_registry.set_alias(CHAMPION, version)
    log.info("champion: version %s, as recorded in the ledger (before: %s)", version, current or "none")
    return True


def _find_champion_number(versions: Iterable[ModelVersion]) -> int | None:
    """Return the number of the version with the alias ``champion``, or None."""
    return next((version.version for version in versions if CHAMPION in version.aliases), None)


def _clear_challenger() -> None:
    """Remove the alias ``challenger``: a decision on that version exists."""
    model_registry.delete_alias(CHALLENGER)
