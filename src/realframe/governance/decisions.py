"""Decide on model versions: approve, reject, ask for changes, roll back, or record a time-out.

A decision is first written to the ledger and then applied to the model registry. If the process dies in between, the next decision, or
a second attempt at the same one, first applies what the ledger says (``reconcile.apply_ledger``).

An approval rests on the stored result of the gate. Where none is stored, it is computed before the lock is taken, except in the web
process, which refuses. Under the lock only the stored result is read again: one that became stale meanwhile is not used.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from threading import Thread
from typing import Any

from realframe.detection.approved_bundle import find_judged_kinds
from realframe.errors import AccountError, GateError, LedgerError, MissingGateResultError, RegistryError
from realframe.governance import champion_history, gate, gate_results, ledger, ledger_audit
from realframe.governance.gate_results import GateResult
from realframe.governance.ledger import Decision
from realframe.governance.ledger_audit import LedgerAudit
from realframe.governance.reconcile import apply_ledger, review_lock
from realframe.registry import model_registry
from realframe.registry.model_registry import CHAMPION, ModelVersion
from realframe.settings import get_settings
from realframe.store import accounts
from realframe.store.accounts import Account
from realframe.store.repository import Store, open_store
from realframe.store.user_documents import JUDGED_KINDS, Action, Authentication, Channel, LedgerEntry

_GATE_ATTEMPTS = 3  # the champion, the rules or the evidence may change while the gate is checked


@dataclass(frozen=True)
class Reviewer:
    """A person who decides.

    Attributes:
        name: of the account that was authenticated.
        channel: the interface that the decision is entered in: ``cli``, ``airflow``, ``web`` or ``mlflow``.
        authentication: how the name was verified: by the operating system (``os``), ``airflow``, a ``password``, or not at all (``none``).
    """

    name: str
    channel: Channel
    authentication: Authentication

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise RegistryError("reviewer", "a decision needs the name of a reviewer", "Give --reviewer NAME or set REALFRAME_REVIEWER.")


def reviewer_from_login(name: str) -> Reviewer:
    """Return the login user as the reviewer. Raises AccountError if an account of that name has a role that cannot decide."""
    with open_store(get_settings()) as store:
        account = store.get(Account, name)
    if account:
        _require_decision_role(account)
    return Reviewer(name, "cli", "os")


def reviewer_from_password(name: str, password: str, channel: Channel) -> Reviewer:
    """Return the owner of an account as the reviewer. Raises AccountError if the password is wrong or the role cannot decide."""
    with open_store(get_settings()) as store:
        account = accounts.verify_password(store, name, password)
    _require_decision_role(account)
    return Reviewer(account.name, channel, "password")


def _require_decision_role(account: Account) -> None:
    if account.role not in accounts.DECIDING_ROLES:
        raise AccountError(account.name, f"has the role {account.role}, which cannot decide", "Ask a reviewer or an admin.")


@dataclass(frozen=True)
class _Request:
    """A requested decision. A rollback may leave the version open (None); a time-out has no reviewer."""

    action: Action
    version: int | None
    reviewer: Reviewer | None
    comment: str
    override: str = ""
    judged_kinds: tuple[str, ...] = ()

    @property
    def may_check_gate(self) -> bool:
        """The process may load TensorFlow and take minutes."""
        return self.reviewer is None or self.reviewer.channel != "web"

    @property
    def name(self) -> str:
        return self.reviewer.name.strip() if self.reviewer else ""

    def matches(self, entry: LedgerEntry) -> bool:
        return (
            self.version in (None, entry.version)
            and (self.action, self.name, self.comment) == (entry.action, entry.reviewer, entry.comment)
            and set(self.judged_kinds) == set(entry.evidence.get(JUDGED_KINDS) or {})
        )  # fmt: skip


def approve(version: int, reviewer: Reviewer, comment: str, override: str = "", judged_kinds: Sequence[str] = ()) -> LedgerEntry:
    """Make a version the champion and return the ledger entry.

    Records the stored gate result with the decision; where none is stored, the gate is checked first, except on the channel ``web``. A
    champion that was set without a review can be approved afterwards, and a champion again that is to judge other kinds.

    Args:
        version: its number.
        reviewer: who decides.
        comment: why; stored in the ledger.
        override: why unmet rules do not count; stored in the ledger with their names.
        judged_kinds: kinds on which the version gives verdicts from now on although it is not shown to be competent; ``override`` says why,
            and each of these verdicts has a caution with it.

    Raises:
        GateError: a gate rule is not met and no override reason is given, ``four_eyes`` is set and the reviewer trained the version, or a
            kind cannot be judged by decision.
        MissingGateResultError: no current gate result is stored, and the channel is ``web``.
        DecisionBusyError: another process has been recording a decision for too long.
        RegistryError: there is no such version, it is already the champion after a review, or MLflow lacks a file of the version.
        LedgerError: other processes appended an entry first in every attempt.
        MetadataError: the store cannot be reached.
    """

    def check(store: Store) -> int:
        chosen, versions = model_registry.get_version(version), model_registry.list_versions()
        chain = ledger.list_entries(store)
        is_approved = CHAMPION in chosen.aliases and champion_history.find_unapproved_promotion(chain, versions) is None
        decisions = [entry for entry in champion_history.select_valid_entries(chain, versions) if entry.version == version]
        if is_approved and set(find_judged_kinds(decisions)) == set(judged_kinds):
            raise RegistryError(f"version {version}", "is already the champion", "Show it with `realframe registry show champion`.")
        gate.require_second_reviewer(chosen, reviewer.name)
        return version

    return _decide(_Request("approve", version, reviewer, comment, override.strip(), tuple(judged_kinds)), check)


def reject(version: int, reviewer: Reviewer, comment: str) -> LedgerEntry:
    """Reject a version and return the ledger entry; if it is the challenger, it loses that alias. Raises as :func:`approve` does."""
    return _decide(_Request("reject", version, reviewer, comment), lambda _: _require_not_champion(version))


def request_changes(version: int, reviewer: Reviewer, comment: str) -> LedgerEntry:
    """Ask for changes to a version and return the ledger entry; if it is the challenger, it loses that alias.

    Raises as :func:`approve` does, and RegistryError if the comment is empty.
    """
    if not comment.strip():
        raise RegistryError(f"version {version}", "asking for changes needs a comment that names them", "Add a comment with -m.")
    return _decide(_Request("request_changes", version, reviewer, comment), lambda _: _require_not_champion(version))


def record_timeout(version: int) -> LedgerEntry:
    """Record that the review timed out and return the ledger entry. The aliases do not change: a time-out is not an approval."""
    return _decide(_Request("timeout", version, None, "review timed out"), lambda _: version)


def rollback(reviewer: Reviewer, comment: str, version: int | None = None) -> LedgerEntry:
    """Make a former champion the champion again and return the ledger entry. Raises as :func:`approve` does.

    Args:
        reviewer: who decides.
        comment: why.
        version: the former champion; None takes the one before the current champion.
    """

    def choose_former(store: Store) -> int:
        former = champion_history.list_former_champions(ledger.list_entries(store), model_registry.list_versions())
        target = former[-1] if version is None and former else version
        if target not in former:
            subject = "champion" if version is None else f"version {version}"
            reason = "has no predecessor to return to" if version is None else "was not champion before the current one"
            raise RegistryError(subject, reason, f"Former champions: {', '.join(map(str, former)) or 'none'}.")
        return int(target)

    return _decide(_Request("rollback", version, reviewer, comment), choose_former)


def settle(reviewer: Reviewer, reason: str) -> tuple[LedgerEntry, LedgerAudit]:
    """Record that a person has looked into the open alarms about the ledger, and return the ledger entry and what was open.

    After that, references in MLflow that contradict the ledger are replaced by what the ledger says, and entries without an anchor are
    anchored.

    Raises:
        LedgerError: no alarm is open and every entry is anchored, or other processes appended an entry first in every attempt.
        RegistryError: the reason is empty.
        MetadataError: the store cannot be reached.
    """
    if not reason.strip():
        raise RegistryError("ledger", "settling an alarm needs a reason: what you have found out", "Give it with --reason.")
    with open_store(get_settings()) as store:
        audit = ledger_audit.audit_ledger(store, includes_remote=True)
        if not audit.open_alarms and (not audit.unanchored or audit.is_anchoring_impossible):
            raise LedgerError("ledger", "there is nothing to settle: no alarm is open", "Check it with `realframe registry verify`.")
        evidence = {
            ledger_audit.SETTLED: [alarm.key for alarm in audit.open_alarms],
            "alarms": [str(alarm) for alarm in audit.open_alarms],
            "anchored": [ledger.format_entry_id(entry) for entry in audit.unanchored],
        }
        decision = Decision(
            action="settle",
            version=0,
            model_sha256="0" * 64,
            reviewer=reviewer.name.strip(),
            comment=reason,
            evidence=evidence,
            channel=reviewer.channel,
            authentication=reviewer.authentication,
        )
        with review_lock():
            entry = ledger.append_entry(store, lambda: decision)
            for other in audit.unanchored:
                ledger.anchor_entry(other)
            apply_ledger(store)
    ledger.publish_anchors(accept_rewritten=True)
    return entry, audit


def _require_not_champion(version: int) -> int:
    if CHAMPION in model_registry.get_version(version).aliases:
        raise RegistryError(f"version {version}", "is the champion", "Return to the former champion with `realframe registry rollback`.")
    return version


def _decide(request: _Request, choose_version: Callable[[Store], int]) -> LedgerEntry:
    """Apply a pending ledger entry; then record the requested decision, unless it is that entry, and apply it."""
    with open_store(get_settings()) as store:
        entry = _record_once(request, choose_version, store)
    if request.may_check_gate:
        ledger.publish_anchors()
    elif get_settings().git_remote:  # the page does not wait for it
        Thread(target=ledger.publish_anchors, name="publish anchors", daemon=True).start()
    return entry


def _record_once(request: _Request, choose_version: Callable[[Store], int], store: Store) -> LedgerEntry:
    """Record the decision, unless it is pending: then a process died before it was applied, and it has been applied now."""
    with review_lock():
        pending = apply_ledger(store)
    if pending and request.matches(pending):
        ledger.anchor_entry(pending)
        return pending
    ledger_audit.require_no_alarm(store)
    version = choose_version(store)  # refuses before anything is computed
    attempts = _GATE_ATTEMPTS
    while True:
        attempts -= 1
        if request.action == "approve" and request.may_check_gate:
            gate.ensure_gate_result(version, store)
        try:
            return _record(request, choose_version, store)
        except MissingGateResultError:
            if not (attempts and request.may_check_gate):
                raise


def _record(request: _Request, choose_version: Callable[[Store], int], store: Store) -> LedgerEntry:
    """Check again whether the decision is possible, record it and apply it, all under the lock."""
    with review_lock():
        pending = apply_ledger(store)
        if pending and request.matches(pending):
            return pending
        ledger_audit.require_no_alarm(store)
        entry = ledger.append_entry(store, lambda: _check_again(request, choose_version, store))
        apply_ledger(store)
        return entry


def _check_again(request: _Request, choose_version: Callable[[Store], int], store: Store) -> Decision:
    """Return the decision to record. The lock is held, so the registry is read only once."""
    with model_registry.read_versions_once():
        return _build_decision(request, model_registry.get_version(choose_version(store)), store)


def _build_decision(request: _Request, candidate: ModelVersion, store: Store) -> Decision:
    gate_result = _find_gate_result(request, candidate.version, store)
    judged_kinds = gate.require_judgeable(candidate, request.judged_kinds, request.override)
    return Decision(
        action=request.action,
        version=candidate.version,
        model_sha256=candidate.sha256,
        reviewer=request.name,
        comment=request.comment,
        evidence=ledger.evidence_record(candidate, model_registry.find_champion())
        | _review_facts(candidate, gate_result, store)
        | ({JUDGED_KINDS: judged_kinds} if judged_kinds else {}),
        channel=request.reviewer.channel if request.reviewer else "airflow",
        authentication=request.reviewer.authentication if request.reviewer else "none",
        overrides=gate.require_override_reason(gate_result, request.override) if gate_result and request.action == "approve" else (),
        override_reason=request.override,
    )


def _find_gate_result(request: _Request, version: int, store: Store) -> GateResult | None:
    """Return the stored gate result of a version: an approval needs one, other decisions record it if there is one."""
    if request.action == "approve":
        return gate.require_gate_result(version, store)
    if request.action not in champion_history.TEST_SPLIT_ACTIONS:
        return None
    try:
        return gate_results.find_gate_result(version, store)
    except GateError:  # a version can be rejected while the rules cannot be read
        return None


def _review_facts(candidate: ModelVersion, gate_result: GateResult | None, store: Store) -> dict[str, Any]:
    """Return the gate result and the earlier uses of the test split, for the ledger."""
    return {
        "gate": gate_result.as_dict() if gate_result else None,
        "test_split_usage": asdict(champion_history.count_split_usage(candidate, store)),
    }
