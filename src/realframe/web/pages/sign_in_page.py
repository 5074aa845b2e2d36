"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from realframe.errors import AccountError
from realframe.store import accounts
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page

router = APIRouter()
_TRIES = RateLimitItemPerMinute(10)
_limiter = MovingWindowRateLimiter(MemoryStorage())


@router.get("/sign-in")
def form(request: Request, next: str = "/") -> Response:
    """Show the form."""
    return page(request, "sign_in", next=_inside(next), error="")


@router.post("/sign-in")
def sign_in(
    request: Request, name: Annotated[str, Form()], password: Annotated[str, Form()], next: Annotated[str, Form()] = "/"
) -> Response:
    """Sign in; ten tries a minute from one address."""
    if not _limiter.hit(_TRIES, request.client.host if request.client else ""):
        return page(request, "sign_in", status=429, next=_inside(next), error="Too many tries. Wait a minute.")
    try:
        account = accounts.sign_in(request.app.state.store, name, password)
    except AccountError:
        return page(request, "sign_in", status=403, next=_inside(next), error="The name or the password is not right.")
    answer = RedirectResponse(_inside(next), 303)
    request.app.state.sessions.begin(answer, account, secure=request.url.scheme == "https")
    return answer


@router.post("/sign-out")
def sign_out(request: Request, visitor: Annotated[User, Depends(signed_in)], csrf: Annotated[str, Form()] = "") -> Response:
    """Sign out."""
    visitor.check_form(csrf)
    answer = RedirectResponse("/sign-in", 303)
    request.app.state.sessions.end(answer)
    return answer


def _inside(path: str) -> str:
    """Where to go on: a page of ours, never another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
