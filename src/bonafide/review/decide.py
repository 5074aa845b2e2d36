"""Decisions on model versions, with a name to each. The ledger is the truth; the registry follows it.

A decision is first written into the ledger and then carried out. If the process dies between the two, the next decision, or a second
attempt at the same one, first carries out what the ledger says (``review.follow``).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from bonafide.errors import RegistryError
from bonafide.metadata.schema import Action, Entry
from bonafide.metadata.store import Store, open_store
from bonafide.review import evidence, gate, ledger, reign, split_uses
from bonafide.review.follow import alone, follow
from bonafide.review.gate import Gate
from bonafide.review.ledger import Decision
from bonafide.review.reviewer import Reviewer
from bonafide.settings import get_settings
from bonafide.tracking import registry
from bonafide.tracking.registry import CHAMPION, ModelVersion


@dataclass(frozen=True)
class _Asked:
    """What a reviewer asks for; a rollback without a version leaves the version open, and nobody is the reviewer of a time-out."""

    action: Action
    version: int | None
    reviewer: Reviewer | None
    comment: str
    override: str = ""

    @property
    def name(self) -> str:
        return self.reviewer.name.strip() if self.reviewer else ""

    def is_(self, entry: Entry) -> bool:
        return (
            self.version in (None, entry.version)
            and (self.action, self.name, self.comment) == (entry.action, entry.reviewer, entry.comment)
        )  # fmt: skip


def approve(version: int, reviewer: Reviewer, comment: str, override: str = "") -> Entry:
    """Make a version the champion and return the ledger's entry.

    Refused are an unknown version, the present champion unless it became that past the review, a version that does not meet every rule of
    the gate without a reason to override them, and, under four eyes, the approval of one's own training.

    Args:
        version: its number.
        reviewer: who decides.
        comment: why; it stands in the ledger.
        override: why the rules that are not met don't count; it stands in the ledger beside their names.

    Raises:
        GateError: a rule is not met, or the reviewer is the trainer.
        RegistryError: refused for another reason, or MLflow does not have what it should.
        LedgerError: others come first every time.
        MetadataError: the store can't be reached.
    """

    def check(store: Store) -> int:
        chosen, versions = registry.get(version), registry.versions()
        if CHAMPION in chosen.aliases and reign.ungated(ledger.entries(store), versions) is None:
            raise RegistryError(f"version {version}", "is already the champion", "Look at it with `bonafide registry show champion`.")
        gate.refuse_own(chosen, reviewer.name)
        return version

    return _decide(_Asked("approve", version, reviewer, comment, override.strip()), check)


def reject(version: int, reviewer: Reviewer, comment: str) -> Entry:
    """Refuse a version and return the ledger's entry; if it is the challenger, it is so no longer. Raises as :func:`approve` does."""
    return _decide(_Asked("reject", version, reviewer, comment), lambda _: _not_champion(version))


def ask_for_changes(version: int, reviewer: Reviewer, comment: str) -> Entry:
    """Send a version back with what is to be changed, and return the ledger's entry; it is the challenger no longer.

    Raises as :func:`approve` does, and RegistryError where no change is named.
    """
    if not comment.strip():
        raise RegistryError(f"version {version}", "asking for changes needs a comment that names them", "Give it with -m.")
    return _decide(_Asked("changes", version, reviewer, comment), lambda _: _not_champion(version))


def time_out(version: int) -> Entry:
    """Write down that nobody decided in time, and return the entry. It is no approval: the version stays what it was."""
    return _decide(_Asked("timeout", version, None, "nobody decided in time"), lambda _: version)


def rollback(reviewer: Reviewer, comment: str, to: int | None = None) -> Entry:
    """Make a former champion the champion again and return the ledger's entry. Raises as :func:`approve` does.

    Args:
        reviewer: who decides.
        comment: why.
        to: the version; None takes the one that was champion before the present one.
    """

    def choose(store: Store) -> int:
        former = reign.former_champions(ledger.entries(store), registry.versions())
        target = former[-1] if to is None and former else to
        if target not in former:
            thing = "champion" if to is None else f"version {to}"
            reason = "has no predecessor to go back to" if to is None else "was not champion before the present one"
            raise RegistryError(thing, reason, f"Former champions: {', '.join(map(str, former)) or 'none'}.")
        return int(target)

    return _decide(_Asked("rollback", to, reviewer, comment), choose)


def _not_champion(version: int) -> int:
    if CHAMPION in registry.get(version).aliases:
        raise RegistryError(f"version {version}", "is the champion", "Take it back with `bonafide registry rollback`.")
    return version


def _decide(asked: _Asked, choose: Callable[[Store], int]) -> Entry:
    """Carry out what is left over; then write the decision down, unless it is that one, and carry it out."""
    with alone(), open_store(get_settings()) as store:
        left_over = follow(store)
        if left_over and asked.is_(left_over):
            return left_over
        entry = ledger.append(store, lambda: _decision(asked, registry.get(choose(store)), store))
        follow(store)
        return entry


def _decision(asked: _Asked, candidate: ModelVersion, store: Store) -> Decision:
    checked = gate.check(candidate.version, store) if asked.action in split_uses.RESTED else None
    return Decision(
        action=asked.action,
        version=candidate.version,
        model_sha256=candidate.sha256,
        reviewer=asked.name,
        comment=asked.comment,
        evidence=evidence.record(candidate, registry.champion()) | _seen(candidate, checked, store),
        via=asked.reviewer.via if asked.reviewer else "airflow",
        authenticated=asked.reviewer.authenticated if asked.reviewer else "none",
        overrides=gate.overridden(checked, asked.override) if checked and asked.action == "approve" else (),
        reason=asked.override,
    )


def _seen(candidate: ModelVersion, checked: Gate | None, store: Store) -> dict[str, Any]:
    """What the ledger keeps of the gate, and how often the test split had been used for a decision before."""
    return {"gate": checked.as_dict() if checked else None, "test_split": asdict(split_uses.count(candidate, store))}
