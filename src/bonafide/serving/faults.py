"""What a visitor sees when something is not as it should be: what, why and what to do, never a traceback."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from bonafide.errors import AccountError, BonafideError
from bonafide.serving.rendering import page
from bonafide.serving.sessions import SignInNeededError


def install(app: FastAPI) -> None:
    """Let the application answer errors with pages."""
    app.add_exception_handler(SignInNeededError, _sign_in)
    app.add_exception_handler(BonafideError, _told)
    app.add_exception_handler(HTTPException, _plain)


def _sign_in(request: Request, _: Exception) -> Response:
    query = f"?next={request.url.path}" if request.method == "GET" else ""
    return RedirectResponse(f"/sign-in{query}", 303)


def _told(request: Request, error: Exception) -> HTMLResponse:
    """What can't be shown is not there; what can't be done is refused."""
    refused = 403 if isinstance(error, AccountError) else 409
    return _fault(request, 404 if request.method == "GET" else refused, str(error))


def _plain(request: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, HTTPException)
    return _fault(request, error.status_code, str(error.detail))


def _fault(request: Request, status: int, message: str) -> HTMLResponse:
    visitor = request.app.state.sessions.visitor(request, request.app.state.store)
    return page(request, "fault", visitor, status, number=status, message=message)
