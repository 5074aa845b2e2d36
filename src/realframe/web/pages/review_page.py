"""The review page: the candidate's evaluation next to the champion's, the outcome of each gate rule, and the decision."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from realframe.errors import AccountError
from realframe.governance import decisions, ledger
from realframe.governance.decisions import Reviewer
from realframe.governance.review_summary import build_review_summary, list_ledger_warnings
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION
from realframe.store.user_documents import LedgerEntry
from realframe.web.auth.sessions import SignedInUser, check_csrf
from realframe.web.pages.versions_page import VersionNumber
from realframe.web.rendering import render_page

router = APIRouter()
Choice = Literal["approve", "reject", "request_changes", "rollback"]


@router.get("/review")
def show_challenger(request: Request, user: SignedInUser) -> Response:
    """Show the version that waits for a decision, or that there is none."""
    challenger = model_registry.find_by_alias(CHALLENGER)
    if challenger:
        return show_version(request, challenger.version, user)
    return render_page(request, "review_empty", user, warnings=list_ledger_warnings(request.app.state.store))


@router.get("/versions/{version}")
def show_version(request: Request, version: VersionNumber, user: SignedInUser) -> Response:
    """Show everything that a reviewer needs to decide on a version; it is read, not computed."""
    store = request.app.state.store
    model_version = model_registry.get_version(version)
    return render_page(
        request,
        "review",
        user,
        version=model_version,
        summary=build_review_summary(version, store),
        entries=[entry for entry in ledger.list_entries(store) if entry.version == version],
        is_champion=CHAMPION in model_version.aliases,
    )


@router.post("/versions/{version}/decision")
def submit_decision(
    request: Request,
    version: VersionNumber,
    user: SignedInUser,
    choice: Annotated[Choice, Form()],
    comment: Annotated[str, Form()] = "",
    override: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Write a decision to the ledger and apply it."""
    check_csrf(user, csrf)
    if not user.can_decide:
        raise AccountError(user.name, f"has the role {user.role}, which cannot decide", "Ask a reviewer or an admin.")
    _apply_decision(choice, version, Reviewer(user.name, "web", "password"), comment, override)
    request.app.state.monitor.forget_challenger()
    return RedirectResponse(f"/versions/{version}", 303)


def _apply_decision(choice: Choice, version: VersionNumber, reviewer: Reviewer, comment: str, override: str) -> LedgerEntry:
    if choice == "approve":
        return decisions.approve(version, reviewer, comment, override)
    if choice == "reject":
        return decisions.reject(version, reviewer, comment)
    if choice == "request_changes":
        return decisions.request_changes(version, reviewer, comment)
    return decisions.rollback(reviewer, comment)
