"""Makes the model registry say what the ledger says, and writes into the ledger what was done to the registry past the review.

A decision is first written into the ledger; then the alias ``champion`` is set, and last the decision is noted on its version. An entry
that is not noted is therefore left over from a process that died, and is carried out. Where the newest entry about the champion is
noted and the alias points elsewhere, someone has moved it by hand: it stays where it is, and the ledger gets an entry that says so.
Tags are read before aliases and these before the ledger, so that a decision on another machine at that moment is not taken for a hand.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock

from realframe.governance import ledger
from realframe.governance.champion_history import binding, champion_periods
from realframe.governance.ledger import Decision
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION, ModelVersion
from realframe.settings import get_settings
from realframe.store.documents import LedgerEntry
from realframe.store.repository import Store

log = logging.getLogger(__name__)
_DECIDED = ("approve", "reject", "changes")


class _NothingMovedError(Exception):
    """The alias is where the ledger says that it is."""


@contextmanager
def review_lock() -> Iterator[None]:
    """Let one process of this machine at a time decide; decisions on several machines are kept apart by the ledger."""
    state = get_settings().state
    state.mkdir(parents=True, exist_ok=True)
    with FileLock(state / "review.lock"):
        yield


def detect_manual_changes(store: Store) -> list[LedgerEntry]:
    """Carry out what is left over, and record an alias ``champion`` that was set or taken off by hand; return the entries for that.

    Raises LedgerError, MetadataError.
    """
    with review_lock():
        before = store.newest(LedgerEntry, "sequence")
        apply_ledger(store)
        return [entry for entry in ledger.entries(store) if before is None or entry.sequence > before.sequence]


def apply_ledger(store: Store) -> LedgerEntry | None:
    """Do as ``notice`` does, for one who is alone; return the newest entry where it was left over and has been carried out."""
    done = None
    while True:
        versions = model_registry.versions()
        chain = ledger.entries(store)
        if _carried_out(chain, versions):
            done = chain[-1]
        elif _moved(chain, versions):
            _record(store)
        else:
            return done


def _carried_out(chain: list[LedgerEntry], versions: list[ModelVersion]) -> bool:
    """Change what differs; return whether anything did."""
    bound = binding(chain, versions)
    reigns = champion_periods(bound)
    changed = _left_over(chain, versions) and reigns[-1].version is not None and _set_champion(reigns[-1].version, versions)
    for version in versions:
        about = [entry for entry in bound if entry.version == version.version]
        if CHALLENGER in version.aliases and any(entry.action in _DECIDED for entry in about):
            model_registry.drop_alias(CHALLENGER)
            changed = True
        if about and version.decision != ledger.note(about[-1]):
            model_registry.note_decision(version.version, ledger.note(about[-1]))
            changed = True
    return changed


def _set_champion(champion: int, versions: list[ModelVersion]) -> bool:
    if _holder(versions) == champion:
        return False
    model_registry.set_alias(CHAMPION, champion)
    log.info("champion: version %s, as the ledger says (was: %s)", champion, _holder(versions) or "none")
    return True


def _moved(chain: list[LedgerEntry], versions: list[ModelVersion]) -> Decision | None:
    """Return what is to be written where the alias was moved by hand."""
    reigns = champion_periods(binding(chain, versions))
    expected = reigns[-1].version if reigns else None
    holder = _holder(versions)
    if holder == expected or _left_over(chain, versions):
        return None
    about = next(version for version in versions if version.version == (holder or expected))
    before = next((version for version in versions if version.version == expected), None)
    return Decision(
        action="ungated" if holder else "removed",
        version=about.version,
        model_sha256=about.sha256,
        reviewer="",
        comment=f"the alias {CHAMPION} was {'set' if holder else 'taken off'} by hand in MLflow, past the review",
        evidence=ledger.evidence_record(about, before if holder else None),
        via="mlflow",
        authenticated="none",
    )


def _record(store: Store) -> None:
    """Write down that the alias was moved, unless another machine has done so meanwhile."""

    def decide() -> Decision:
        versions = model_registry.versions()
        decision = _moved(ledger.entries(store), versions)
        if decision is None:
            raise _NothingMovedError
        return decision

    try:
        entry = ledger.append(store, decide)
    except _NothingMovedError:
        return
    log.warning("version %s: %s (ledger entry %s)", entry.version, entry.comment, entry.sequence)


def _left_over(chain: list[LedgerEntry], versions: list[ModelVersion]) -> bool:
    """Say whether the newest entry about the champion has not been carried out: neither it nor a later one is noted on its version."""
    reigns = champion_periods(binding(chain, versions))
    if not reigns:
        return False
    places = {ledger.note(entry): entry.sequence for entry in chain}
    noted = {version.version: places.get(version.decision, 0) for version in versions}
    return reigns[-1].entry.sequence > noted[reigns[-1].entry.version]


def _holder(versions: list[ModelVersion]) -> int | None:
    return next((version.version for version in versions if CHAMPION in version.aliases), None)
