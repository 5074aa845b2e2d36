"""The sign-in page, and signing out."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from realframe.errors import AccountError
from realframe.store import accounts
from realframe.web.auth.sessions import SignedInUser, check_csrf
from realframe.web.rendering import render_page

router = APIRouter()
_ATTEMPTS = RateLimitItemPerMinute(10)
_limiter = MovingWindowRateLimiter(MemoryStorage())


@router.get("/sign-in")
def show_form(request: Request, next: str = "/") -> Response:
    """Show the sign-in form."""
    return render_page(request, "sign_in", next=_own_path(next), error="")


@router.post("/sign-in")
def sign_in(
    request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()], next: Annotated[str, Form()] = "/"
) -> Response:
    """Sign in; ten attempts a minute are allowed per client address."""
    if not _limiter.hit(_ATTEMPTS, request.client.host if request.client else ""):
        return render_page(request, "sign_in", status=429, next=_own_path(next), error="Too many attempts. Retry in a minute.")
    try:
        account = accounts.verify_password(request.app.state.store, name, password)
    except AccountError:
        return render_page(request, "sign_in", status=403, next=_own_path(next), error="The name or the password is not correct.")
    response = RedirectResponse(_own_path(next), 303)
    request.app.state.sessions.start(request, response, request.app.state.store, account)
    return response


@router.post("/sign-out")
def sign_out(request: Request, user: SignedInUser, csrf: Annotated[str, Form()] = "") -> Response:
    """End the session."""
    check_csrf(user, csrf)
    response = RedirectResponse("/sign-in", 303)
    request.app.state.sessions.end(request, response, request.app.state.store)
    return response


def _own_path(path: str) -> str:
    """Return the path to open after signing in; an address of another site is replaced by the start page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
