"""Decisions by command-line reviewers, who override the rules that the tiny models of the tests do not meet."""

from realframe.governance import decisions
from realframe.governance.decisions import Reviewer
from realframe.store.user_documents import LedgerEntry

OVERRIDE_REASON = "the models of the tests are tiny"


def reviewer(name: str) -> Reviewer:
    return Reviewer(name, "cli", "os")


def approve(version: int, name: str, comment: str, override: str = OVERRIDE_REASON) -> LedgerEntry:
    return decisions.approve(version, reviewer(name), comment, override)


def reject(version: int, name: str, comment: str) -> LedgerEntry:
    return decisions.reject(version, reviewer(name), comment)


def request_changes(version: int, name: str, comment: str) -> LedgerEntry:
    return decisions.request_changes(version, reviewer(name), comment)


def rollback(name: str, comment: str, to: int | None = None) -> LedgerEntry:
    return decisions.rollback(reviewer(name), comment, to)
