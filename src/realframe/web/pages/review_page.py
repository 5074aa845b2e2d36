"""The reviewer's page: the evidence beside the champion's, each rule met or not, and the decision."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from realframe.errors import AccountError
from realframe.governance import decisions, ledger, reconcile
from realframe.governance.decisions import Reviewer
from realframe.governance.review_summary import gather
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, CHAMPION
from realframe.store.documents import LedgerEntry
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page

router = APIRouter()
Choice = Literal["approve", "reject", "changes", "rollback"]


@router.get("/review")
def waiting(request: Request, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """Show the version that waits for a decision, or that none does."""
    challenger = model_registry.by_alias(CHALLENGER)
    return show(request, challenger.version, visitor) if challenger else page(request, "nothing_to_review", visitor)


@router.get("/versions/{version}")
def show(request: Request, version: int, visitor: Annotated[User, Depends(signed_in)]) -> Response:
    """Show what a reviewer decides on."""
    store = request.app.state.store
    reconcile.detect_manual_changes(store)
    chosen = model_registry.get(version)
    about = [entry for entry in ledger.entries(store) if entry.version == version]
    return page(
        request, "review", visitor, version=chosen, evidence=gather(version, store), entries=about, serves=CHAMPION in chosen.aliases
    )


@router.post("/versions/{version}/decision")
def take(
    version: int,
    visitor: Annotated[User, Depends(signed_in)],
    choice: Annotated[Choice, Form()],
    comment: Annotated[str, Form()] = "",
    override: Annotated[str, Form()] = "",
    csrf: Annotated[str, Form()] = "",
) -> Response:
    """Write a decision into the ledger and carry it out."""
    visitor.check_form(csrf)
    if not visitor.decides:
        raise AccountError(visitor.account.name, f"is {visitor.account.role}, who may look but not decide", "Ask a reviewer or an admin.")
    reviewer = Reviewer(visitor.account.name, "web", "password")
    _decided(choice, version, reviewer, comment, override)
    return RedirectResponse(f"/versions/{version}", 303)


def _decided(choice: Choice, version: int, reviewer: Reviewer, comment: str, override: str) -> LedgerEntry:
    if choice == "approve":
        return decisions.approve(version, reviewer, comment, override)
    if choice == "reject":
        return decisions.reject(version, reviewer, comment)
    if choice == "changes":
        return decisions.ask_for_changes(version, reviewer, comment)
    return decisions.rollback(reviewer, comment)
