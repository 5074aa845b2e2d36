"""Decisions on model versions, with a name to each. The ledger is the truth; the registry follows it.

A decision is first written into the ledger and then carried out. If the process dies between the two, the next decision, or a second
attempt at the same one, first carries out what the ledger says (``review.follow``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from filelock import FileLock

from bonafide.errors import RegistryError
from bonafide.metadata.schema import Action, Entry
from bonafide.metadata.store import Store, open_store
from bonafide.review import evidence, ledger
from bonafide.review.follow import follow, former_champions
from bonafide.review.ledger import Decision
from bonafide.settings import get_settings
from bonafide.tracking import registry
from bonafide.tracking.registry import CHAMPION


@dataclass(frozen=True)
class _Asked:
    """What a reviewer asks for; a rollback without a version leaves the version open."""

    action: Action
    version: int | None
    reviewer: str
    comment: str

    def is_(self, entry: Entry) -> bool:
        return (
            self.version in (None, entry.version)
            and (self.action, self.reviewer, self.comment) == (entry.action, entry.reviewer, entry.comment)
        )  # fmt: skip


def approve(version: int, reviewer: str, comment: str) -> Entry:
    """Make a version the champion and return the ledger's entry. Raises RegistryError, LedgerError, MetadataError.

    Refused are an unknown version, the present champion, and a decision without a reviewer's name.
    """

    def check() -> int:
        if CHAMPION in registry.get(version).aliases:
            raise RegistryError(f"version {version}", "is already the champion", "Look at it with `bonafide registry show champion`.")
        return version

    return _decide(_Asked("approve", version, _named(reviewer), comment), lambda _: check())


def reject(version: int, reviewer: str, comment: str) -> Entry:
    """Refuse a version and return the ledger's entry; if it is the challenger, it is so no longer. Raises as :func:`approve` does."""

    def check() -> int:
        if CHAMPION in registry.get(version).aliases:
            raise RegistryError(f"version {version}", "is the champion", "Take it back with `bonafide registry rollback`.")
        return version

    return _decide(_Asked("reject", version, _named(reviewer), comment), lambda _: check())


def time_out(version: int) -> Entry:
    """Write down that nobody decided in time, and return the entry. It is no approval: the version stays what it was."""
    return _decide(_Asked("timeout", version, "", "nobody decided in time"), lambda _: version)


def rollback(reviewer: str, comment: str, to: int | None = None) -> Entry:
    """Make a former champion the champion again and return the ledger's entry. Raises as :func:`approve` does.

    Args:
        reviewer: who decides.
        comment: why.
        to: the version; None takes the one that was champion before the present one.
    """

    def choose(store: Store) -> int:
        former = former_champions(ledger.entries(store), registry.versions())
        target = former[-1] if to is None and former else to
        if target not in former:
            thing = "champion" if to is None else f"version {to}"
            reason = "has no predecessor to go back to" if to is None else "was not champion before the present one"
            raise RegistryError(thing, reason, f"Former champions: {', '.join(map(str, former)) or 'none'}.")
        return int(target)

    return _decide(_Asked("rollback", to, _named(reviewer), comment), choose)


def _decide(asked: _Asked, choose: Callable[[Store], int]) -> Entry:
    """Carry out what is left over; then write the decision down, unless it is that one, and carry it out."""

    def decision(store: Store) -> Decision:
        candidate = registry.get(choose(store))
        return Decision(
            action=asked.action,
            version=candidate.version,
            model_sha256=candidate.sha256,
            reviewer=asked.reviewer,
            comment=asked.comment,
            evidence=evidence.record(candidate, registry.champion()),
        )

    with _store() as store:
        left_over = follow(store)
        if left_over and asked.is_(left_over):
            return left_over
        entry = ledger.append(store, lambda: decision(store))
        follow(store)
        return entry


def _named(reviewer: str) -> str:
    if not reviewer.strip():
        raise RegistryError("reviewer", "a decision needs the name of who decides", "Give --reviewer NAME or set BONAFIDE_REVIEWER.")
    return reviewer.strip()


@contextmanager
def _store() -> Iterator[Store]:
    """Open the store for one decision at a time on this machine; decisions on several machines are kept apart by the ledger."""
    settings = get_settings()
    settings.state.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.state / "review.lock"), open_store(settings) as store:
        yield store
