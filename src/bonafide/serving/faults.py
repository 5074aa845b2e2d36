"""What is answered where something is not as it should be: a page for people, a problem for programs; never a traceback."""

import logging
from contextlib import suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bonafide.errors import AccountError, BonafideError, MetadataError, RequestError, SetupError
from bonafide.serving import problems
from bonafide.serving.access.sessions import SignInNeededError
from bonafide.serving.views.rendering import page

_log = logging.getLogger(__name__)


class Unforeseen:
    """Answers what no handler foresaw, and writes it into the log with its traceback.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on. Raises what went wrong where the answer had begun: the server then breaks the connection."""
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            _log.exception("a request failed")
            answer = await run_in_threadpool(answered, Request(scope), error)
            await answer(scope, receive, send)


def install(app: FastAPI) -> None:
    """Let the application answer errors."""
    app.add_exception_handler(SignInNeededError, _sign_in)
    for kind in (BonafideError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answered)


def answered(request: Request, error: Exception) -> Response:
    """Return the answer to a request that ended in an error."""
    if isinstance(error, RequestError):
        request.app.state.metrics.refused(error.code)
    if request.url.path.startswith("/api/") or request.url.path == "/readyz":
        return problems.of(request, error)
    if isinstance(error, BonafideError):
        return _fault(request, _status(request, error), str(error))
    if isinstance(error, HTTPException):
        return _fault(request, error.status_code, str(error.detail))
    if isinstance(error, RequestValidationError):
        return _fault(request, 422, "What was sent is not what this page asks for.")
    return _fault(request, 500, f"Something went wrong here. The log has it under {getattr(request.state, 'request_id', '')}.")


def _sign_in(request: Request, _: Exception) -> Response:
    query = f"?next={request.url.path}" if request.method == "GET" else ""
    return RedirectResponse(f"/sign-in{query}", 303)


def _status(request: Request, error: BonafideError) -> int:
    """What can't be shown is not there; what can't be done is refused."""
    if isinstance(error, RequestError | MetadataError | SetupError):
        return problems.status_of(error)
    refused = 403 if isinstance(error, AccountError) else 409
    return 404 if request.method == "GET" else refused


def _fault(request: Request, status: int, message: str) -> HTMLResponse:
    visitor = None
    with suppress(MetadataError):  # where the store is away, nobody is signed in
        visitor = request.app.state.sessions.visitor(request, request.app.state.store)
    return page(request, "fault", visitor, status, number=status, message=message)
