"""The question that Airflow asks a reviewer about a version: its text, with links to the report and the page, and the answer's record."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from realframe.errors import RegistryError
from realframe.governance import decisions, ledger
from realframe.governance.decisions import Reviewer
from realframe.governance.review_summary import load_markdown
from realframe.markdown import escape_markdown
from realframe.settings import Settings, get_settings
from realframe.store.repository import open_store
from realframe.store.user_documents import LedgerEntry

APPROVE, REJECT, REQUEST_CHANGES = "Approve", "Reject", "Ask for changes"
OPTIONS = (APPROVE, REJECT, REQUEST_CHANGES)
MAX_LENGTH = 4000
"""Limit of each text of an answer, characters."""
_DECISIONS = ("approve", "reject", "request_changes", "rollback")


class _AnswerForm(BaseModel):
    """The fields of an answer. Airflow does not check what its API receives."""

    model_config = ConfigDict(extra="forbid", strict=True)

    comment: str | None = Field(default=None, max_length=MAX_LENGTH)
    override: str | None = Field(default=None, max_length=MAX_LENGTH)


def list_links(version: int, settings: Settings) -> dict[str, str]:
    """Return the addresses of what a reviewer reads about a version, by their names: the review page, and the report with its pictures."""
    page = f"{settings.page_url}/versions/{version}"
    return {"Review page": page, "Report with the pictures": f"{page}/report"}


def build_question(version: int) -> str:
    """Return the text of the question as Markdown: the links and the review summary. Raises RegistryError, MetadataError."""
    links = " · ".join(f"[{name}]({address})" for name, address in list_links(version, get_settings()).items())
    return f"{links}\n\n{load_markdown(version)}"


def add_refusal(question: str, refusal: str) -> str:
    """Put the reason why the answer before was not recorded above the text of the question."""
    return f"> **Your answer was not recorded:** {escape_markdown(refusal)}\n\nPlease answer again.\n\n{question}"


def record_answer(version: int, answer: dict[str, Any]) -> LedgerEntry:
    """Record an answer from Airflow in the ledger, apply it, and return the ledger entry.

    Args:
        version: number of the version that the question is about.
        answer: ``chosen_options``, ``params_input`` and ``responded_by_user``, as Airflow gives them.

    Raises:
        RegistryError: the answer is not valid, or the decision is refused, as by :func:`realframe.governance.decisions.approve`.
        MetadataError: the store cannot be reached.
    """
    subject = f"version {version}"
    try:
        form = _AnswerForm.model_validate(answer.get("params_input") or {})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg'].lower()}" for item in error.errors())
        raise RegistryError(
            subject, f"the fields of the answer are not valid ({problems})", "Use the fields comment and override."
        ) from error
    comment, override = form.comment or "", form.override or ""
    reviewer = Reviewer(str((answer.get("responded_by_user") or {}).get("name") or ""), "airflow", "airflow")
    match list(answer.get("chosen_options") or ()):
        case [option] if option == APPROVE:
            return decisions.approve(version, reviewer, comment, override)
        case [option] if option == REQUEST_CHANGES:
            return decisions.request_changes(version, reviewer, comment)
        case [option] if option == REJECT:
            return decisions.reject(version, reviewer, comment)
    raise RegistryError(subject, "the answer chooses none of the options, or several", f"Choose one of: {', '.join(OPTIONS)}.")


def find_decision_since(version: int, start: datetime) -> LedgerEntry | None:
    """Return the last decision on a version since ``start``, or None: meanwhile a reviewer may decide on the page."""
    with open_store(get_settings()) as store:
        entries = [entry for entry in ledger.list_entries(store) if entry.version == version and entry.action in _DECISIONS]
    is_later = entries and datetime.fromisoformat(entries[-1].created) >= start
    return entries[-1] if is_later else None


def describe_decision(entry: LedgerEntry) -> str:
    """Return a decision in one line, such as ``approve: version 3 by ann``."""
    return f"{entry.action}: version {entry.version} by {entry.reviewer}"
