"""Decisions by people of the operating system, who override whatever the tiny models of the tests don't meet."""

from bonafide.metadata.schema import Entry
from bonafide.review import decide
from bonafide.review.reviewer import Reviewer

WHY = "the models of the tests are tiny"


def by(name: str) -> Reviewer:
    return Reviewer(name, "cli", "os")


def approve(version: int, name: str, comment: str, override: str = WHY) -> Entry:
    return decide.approve(version, by(name), comment, override)


def reject(version: int, name: str, comment: str) -> Entry:
    return decide.reject(version, by(name), comment)


def ask_for_changes(version: int, name: str, comment: str) -> Entry:
    return decide.ask_for_changes(version, by(name), comment)


def rollback(name: str, comment: str, to: int | None = None) -> Entry:
    return decide.rollback(by(name), comment, to)
