"""Decisions by people of the operating system, who override whatever the tiny models of the tests don't meet."""

from realframe.governance import decisions
from realframe.governance.decisions import Reviewer
from realframe.store.documents import LedgerEntry

WHY = "the models of the tests are tiny"


def by(name: str) -> Reviewer:
    return Reviewer(name, "cli", "os")


def approve(version: int, name: str, comment: str, override: str = WHY) -> LedgerEntry:
    return decisions.approve(version, by(name), comment, override)


def reject(version: int, name: str, comment: str) -> LedgerEntry:
    return decisions.reject(version, by(name), comment)


def ask_for_changes(version: int, name: str, comment: str) -> LedgerEntry:
    return decisions.ask_for_changes(version, by(name), comment)


def rollback(name: str, comment: str, to: int | None = None) -> LedgerEntry:
    return decisions.rollback(by(name), comment, to)
