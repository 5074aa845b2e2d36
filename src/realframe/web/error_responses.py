"""Errors as programs read them: problem details (RFC 9457, ``application/problem+json``).

What is answered where something is not as it should be: a page for people, a problem for programs; never a traceback.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realframe import errors
from realframe.errors import AccountError, MetadataError, RealframeError, RequestError, RetryLaterError, SetupError
from realframe.web.auth.sessions import SignInNeededError
from realframe.web.rendering import page

MEDIA_TYPE = "application/problem+json"
_STATUSES: dict[type[RealframeError], int] = {
    errors.BodyError: 400,
    errors.AuthenticationError: 401,
    errors.ForbiddenError: 403,
    errors.AccountError: 403,
    errors.NotFoundError: 404,
    errors.RequestTimeoutError: 408,
    errors.GoneError: 409,
    errors.UnknownError: 404,
    errors.LedgerError: 409,
    errors.TooLargeError: 413,
    errors.BodyTypeError: 415,
    errors.RetryLaterError: 429,
    errors.MetadataError: 503,
    errors.SetupError: 503,
    errors.InsufficientStorageError: 507,
    errors.RequestError: 400,
    errors.RealframeError: 409,
}
_CODES = {400: "request.body", 404: "request.not-there", 405: "request.method", 422: "request.invalid"}


class FieldProblem(BaseModel):
    """One thing that is wrong in a request: where, and what."""

    where: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 200"])


class Problem(BaseModel):
    """Why a request was refused."""

    type: str = Field(description="a name of this sort of problem", examples=["urn:realframe:request.not-there"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="what, why, and what to do", examples=["detection 0188: is not there (any more)."])
    code: str = Field(description="stable; a program may rely on it", examples=["request.not-there"])
    request_id: str = Field(description="under which the log has it", examples=["9f0c2d6b1f7a4f6e8a53c1f0a7be1d11"])
    errors: list[FieldProblem] = Field(default=[], description="of a request that is not as this document says")


def of(request: Request, error: Exception) -> Response:
    """Return the answer to a request that ended in an error; one that nobody foresaw says nothing of its inside."""
    if isinstance(error, RequestValidationError):
        wrong = [FieldProblem(where=".".join(map(str, one["loc"])), message=str(one["msg"])) for one in error.errors()]
        detail = "; ".join(f"{one.where}: {one.message}" for one in wrong[:5])
        return answer(request, 422, "request.invalid", detail, wrong=wrong)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, "request.refused")
        return answer(request, error.status_code, code, str(error.detail), dict(error.headers or {}))
    if isinstance(error, RealframeError):
        return answer(request, status_of(error), error.code, str(error), _headers(error))
    return answer(request, 500, "realframe", "Something went wrong here. The log has it under the request's id.")


def status_of(error: RealframeError) -> int:
    """Return the HTTP status of an error: that of the nearest class above it."""
    return next(_STATUSES[cls] for cls in type(error).__mro__ if cls in _STATUSES)


def answer(
    request: Request, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, wrong: list[FieldProblem] | None = None
) -> Response:
    """Return a problem."""
    problem = Problem(
        type=f"urn:realframe:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=getattr(request.state, "request_id", ""),
        errors=wrong or [],
    )
    rate = getattr(request.state, "rate", {})
    return Response(problem.model_dump_json(), status, {**rate, **(headers or {})}, MEDIA_TYPE)


def _headers(error: RealframeError) -> dict[str, str]:
    if isinstance(error, RetryLaterError):
        return {"Retry-After": str(error.wait_s)}
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, errors.AuthenticationError) else {}


_log = logging.getLogger(__name__)


class ServerError:
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
    for kind in (RealframeError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answered)


def answered(request: Request, error: Exception) -> Response:
    """Return the answer to a request that ended in an error."""
    if isinstance(error, RequestError):
        request.app.state.metrics.refused(error.code)
    if request.url.path.startswith("/api/") or request.url.path == "/readyz":
        return of(request, error)
    if isinstance(error, RealframeError):
        return _fault(request, _status(request, error), str(error))
    if isinstance(error, HTTPException):
        return _fault(request, error.status_code, str(error.detail))
    if isinstance(error, RequestValidationError):
        return _fault(request, 422, "What was sent is not what this page asks for.")
    return _fault(request, 500, f"Something went wrong here. The log has it under {getattr(request.state, 'request_id', '')}.")


def _sign_in(request: Request, _: Exception) -> Response:
    query = f"?next={request.url.path}" if request.method == "GET" else ""
    return RedirectResponse(f"/sign-in{query}", 303)


def _status(request: Request, error: RealframeError) -> int:
    """What can't be shown is not there; what can't be done is refused."""
    if isinstance(error, RequestError | MetadataError | SetupError):
        return status_of(error)
    refused = 403 if isinstance(error, AccountError) else 409
    return 404 if request.method == "GET" else refused


def _fault(request: Request, status: int, message: str) -> HTMLResponse:
    visitor = None
    with suppress(MetadataError):  # where the store is away, nobody is signed in
        visitor = request.app.state.sessions.visitor(request, request.app.state.store)
    return page(request, "fault", visitor, status, number=status, message=message)
