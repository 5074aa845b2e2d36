"""Who decides, through which door, and what vouches for the name.

Decisions on model versions, with a name to each. The ledger is the truth; the registry follows it.

A decision is first written into the ledger and then carried out. If the process dies between the two, the next decision, or a second
attempt at the same one, first carries out what the ledger says (``review.follow``).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from realframe.errors import AccountError, RegistryError
from realframe.governance import champion_history, gate, ledger
from realframe.governance.gate import Gate
from realframe.governance.ledger import Decision
from realframe.governance.reconcile import apply_ledger, review_lock
from realframe.registry import model_registry
from realframe.registry.model_registry import CHAMPION, ModelVersion
from realframe.settings import get_settings
from realframe.store import accounts
from realframe.store.accounts import Account
from realframe.store.documents import Action, Authenticated, LedgerEntry, Via
from realframe.store.repository import Store, open_store


@dataclass(frozen=True)
class Reviewer:
    """Somebody who decides.

    Attributes:
        name: of the account that was authenticated.
        via: the door: ``cli``, ``airflow``, ``web`` or ``mlflow``.
        authenticated: what vouches for the name: the operating system (``os``), ``airflow``, a ``password``, or nothing (``none``).
    """

    name: str
    via: Via
    authenticated: Authenticated

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise RegistryError("reviewer", "a decision needs the name of who decides", "Give --reviewer NAME or set REALFRAME_REVIEWER.")


def by_login(name: str) -> Reviewer:
    """Return the user of this process, whom the operating system knows. Raises AccountError where an account says that he may only look."""
    with open_store(get_settings()) as store:
        account = store.get(Account, name)
    if account:
        _refuse_onlookers(account)
    return Reviewer(name, "cli", "os")


def by_password(name: str, password: str, via: Via) -> Reviewer:
    """Return whose account it is. Raises AccountError where the password is wrong or the account may only look."""
    with open_store(get_settings()) as store:
        account = accounts.sign_in(store, name, password)
    _refuse_onlookers(account)
    return Reviewer(account.name, via, "password")


def _refuse_onlookers(account: Account) -> None:
    if account.role not in accounts.DECIDE:
        raise AccountError(account.name, f"is {account.role}, who may look but not decide", "Ask a reviewer or an admin.")


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

    def is_(self, entry: LedgerEntry) -> bool:
        return (
            self.version in (None, entry.version)
            and (self.action, self.name, self.comment) == (entry.action, entry.reviewer, entry.comment)
        )  # fmt: skip


def approve(version: int, reviewer: Reviewer, comment: str, override: str = "") -> LedgerEntry:
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
        chosen, versions = model_registry.get(version), model_registry.versions()
        if CHAMPION in chosen.aliases and champion_history.ungated(ledger.entries(store), versions) is None:
            raise RegistryError(f"version {version}", "is already the champion", "Look at it with `realframe registry show champion`.")
        gate.refuse_own(chosen, reviewer.name)
        return version

    return _decide(_Asked("approve", version, reviewer, comment, override.strip()), check)


def reject(version: int, reviewer: Reviewer, comment: str) -> LedgerEntry:
    """Refuse a version and return the ledger's entry; if it is the challenger, it is so no longer. Raises as :func:`approve` does."""
    return _decide(_Asked("reject", version, reviewer, comment), lambda _: _not_champion(version))


def ask_for_changes(version: int, reviewer: Reviewer, comment: str) -> LedgerEntry:
    """Send a version back with what is to be changed, and return the ledger's entry; it is the challenger no longer.

    Raises as :func:`approve` does, and RegistryError where no change is named.
    """
    if not comment.strip():
        raise RegistryError(f"version {version}", "asking for changes needs a comment that names them", "Give it with -m.")
    return _decide(_Asked("changes", version, reviewer, comment), lambda _: _not_champion(version))


def time_out(version: int) -> LedgerEntry:
    """Write down that nobody decided in time, and return the entry. It is no approval: the version stays what it was."""
    return _decide(_Asked("timeout", version, None, "nobody decided in time"), lambda _: version)


def rollback(reviewer: Reviewer, comment: str, to: int | None = None) -> LedgerEntry:
    """Make a former champion the champion again and return the ledger's entry. Raises as :func:`approve` does.

    Args:
        reviewer: who decides.
        comment: why.
        to: the version; None takes the one that was champion before the present one.
    """

    def choose(store: Store) -> int:
        former = champion_history.former_champions(ledger.entries(store), model_registry.versions())
        target = former[-1] if to is None and former else to
        if target not in former:
            thing = "champion" if to is None else f"version {to}"
            reason = "has no predecessor to go back to" if to is None else "was not champion before the present one"
            raise RegistryError(thing, reason, f"Former champions: {', '.join(map(str, former)) or 'none'}.")
        return int(target)

    return _decide(_Asked("rollback", to, reviewer, comment), choose)


def _not_champion(version: int) -> int:
    if CHAMPION in model_registry.get(version).aliases:
        raise RegistryError(f"version {version}", "is the champion", "Take it back with `realframe registry rollback`.")
    return version


def _decide(asked: _Asked, choose: Callable[[Store], int]) -> LedgerEntry:
    """Carry out what is left over; then write the decision down, unless it is that one, and carry it out."""
    with review_lock(), open_store(get_settings()) as store:
        left_over = apply_ledger(store)
        if left_over and asked.is_(left_over):
            return left_over
        entry = ledger.append(store, lambda: _decision(asked, model_registry.get(choose(store)), store))
        apply_ledger(store)
        return entry


def _decision(asked: _Asked, candidate: ModelVersion, store: Store) -> Decision:
    checked = gate.check(candidate.version, store) if asked.action in champion_history.RESTED else None
    return Decision(
        action=asked.action,
        version=candidate.version,
        model_sha256=candidate.sha256,
        reviewer=asked.name,
        comment=asked.comment,
        evidence=ledger.evidence_record(candidate, model_registry.champion()) | _seen(candidate, checked, store),
        via=asked.reviewer.via if asked.reviewer else "airflow",
        authenticated=asked.reviewer.authenticated if asked.reviewer else "none",
        overrides=gate.overridden(checked, asked.override) if checked and asked.action == "approve" else (),
        reason=asked.override,
    )


def _seen(candidate: ModelVersion, checked: Gate | None, store: Store) -> dict[str, Any]:
    """What the ledger keeps of the gate, and how often the test split had been used for a decision before."""
    return {"gate": checked.as_dict() if checked else None, "test_split": asdict(champion_history.count_test_split_usage(candidate, store))}
