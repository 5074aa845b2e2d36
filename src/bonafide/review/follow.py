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

from bonafide.metadata.schema import Entry
from bonafide.metadata.store import Store
from bonafide.review import evidence, ledger
from bonafide.review.ledger import Decision
from bonafide.review.reign import binding, line
from bonafide.settings import get_settings
from bonafide.tracking import registry
from bonafide.tracking.registry import CHALLENGER, CHAMPION, ModelVersion

log = logging.getLogger(__name__)
_DECIDED = ("approve", "reject", "changes")


class _NothingMovedError(Exception):
    """The alias is where the ledger says that it is."""


@contextmanager
def alone() -> Iterator[None]:
    """Let one process of this machine at a time decide; decisions on several machines are kept apart by the ledger."""
    state = get_settings().state
    state.mkdir(parents=True, exist_ok=True)
    with FileLock(state / "review.lock"):
        yield


def notice(store: Store) -> list[Entry]:
    """Carry out what is left over, and record an alias ``champion`` that was set or taken off by hand; return the entries for that.

    Raises LedgerError, MetadataError.
    """
    with alone():
        before = store.newest(Entry, "sequence")
        follow(store)
        return [entry for entry in ledger.entries(store) if before is None or entry.sequence > before.sequence]


def follow(store: Store) -> Entry | None:
    """Do as ``notice`` does, for one who is alone; return the newest entry where it was left over and has been carried out."""
    done = None
    while True:
        versions = registry.versions()
        chain = ledger.entries(store)
        if _carried_out(chain, versions):
            done = chain[-1]
        elif _moved(chain, versions):
            _record(store)
        else:
            return done


def _carried_out(chain: list[Entry], versions: list[ModelVersion]) -> bool:
    """Change what differs; return whether anything did."""
    bound = binding(chain, versions)
    reigns = line(bound)
    changed = _left_over(chain, versions) and reigns[-1].version is not None and _crown(reigns[-1].version, versions)
    for version in versions:
        about = [entry for entry in bound if entry.version == version.version]
        if CHALLENGER in version.aliases and any(entry.action in _DECIDED for entry in about):
            registry.drop_alias(CHALLENGER)
            changed = True
        if about and version.decision != ledger.note(about[-1]):
            registry.note_decision(version.version, ledger.note(about[-1]))
            changed = True
    return changed


def _crown(champion: int, versions: list[ModelVersion]) -> bool:
    if _holder(versions) == champion:
        return False
    registry.set_alias(CHAMPION, champion)
    log.info("champion: version %s, as the ledger says (was: %s)", champion, _holder(versions) or "none")
    return True


def _moved(chain: list[Entry], versions: list[ModelVersion]) -> Decision | None:
    """Return what is to be written where the alias was moved by hand."""
    reigns = line(binding(chain, versions))
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
        evidence=evidence.record(about, before if holder else None),
        via="mlflow",
        authenticated="none",
    )


def _record(store: Store) -> None:
    """Write down that the alias was moved, unless another machine has done so meanwhile."""

    def decide() -> Decision:
        versions = registry.versions()
        decision = _moved(ledger.entries(store), versions)
        if decision is None:
            raise _NothingMovedError
        return decision

    try:
        entry = ledger.append(store, decide)
    except _NothingMovedError:
        return
    log.warning("version %s: %s (ledger entry %s)", entry.version, entry.comment, entry.sequence)


def _left_over(chain: list[Entry], versions: list[ModelVersion]) -> bool:
    """Say whether the newest entry about the champion has not been carried out: neither it nor a later one is noted on its version."""
    reigns = line(binding(chain, versions))
    if not reigns:
        return False
    places = {ledger.note(entry): entry.sequence for entry in chain}
    noted = {version.version: places.get(version.decision, 0) for version in versions}
    return reigns[-1].entry.sequence > noted[reigns[-1].entry.version]


def _holder(versions: list[ModelVersion]) -> int | None:
    return next((version.version for version in versions if CHAMPION in version.aliases), None)
