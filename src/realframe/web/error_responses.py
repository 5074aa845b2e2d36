"""Turn errors into responses: problem details (RFC 9457) for programs, a page for people; never a traceback."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from mlflow.exceptions import MlflowException
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realframe import errors
from realframe.disk_space import is_disk_full
from realframe.errors import AccountError, DecisionBusyError, MetadataError, RealframeError, RequestError, SetupError
from realframe.registry import mlflow_server
from realframe.web import request_errors
from realframe.web.auth.sessions import SignInRequiredError
from realframe.web.rendering import render_page
from realframe.web.request_errors import InsufficientStorageError, RetryLaterError

PROBLEM_MEDIA_TYPE = "application/problem+json"
_STATUSES: dict[type[RealframeError], int] = {
    request_errors.MalformedBodyError: 400,
    request_errors.AuthenticationError: 401,
    errors.ForbiddenError: 403,
    errors.AccountError: 403,
    errors.NotFoundError: 404,
    request_errors.RequestTimeoutError: 408,
    request_errors.GoneError: 409,
    errors.UnknownRecordError: 404,
    errors.LedgerError: 409,
    errors.DecisionBusyError: 503,
    errors.DiskFullError: 507,
    request_errors.ContentTooLargeError: 413,
    request_errors.UnsupportedMediaTypeError: 415,
    request_errors.RetryLaterError: 429,
    errors.MetadataError: 503,
    errors.SetupError: 503,
    request_errors.InsufficientStorageError: 507,
    errors.RequestError: 400,
    errors.RealframeError: 409,
}
_CODES = {400: "request.body", 404: "request.not-found", 405: "request.method", 422: "request.invalid"}
_MOUNT_METHODS = ("GET", "HEAD")  # of the static files
_log = logging.getLogger(__name__)


class FieldError(BaseModel):
    """One invalid part of a request."""

    location: str = Field(description="the parameter, field or component", examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 200"])


class Problem(BaseModel):
    """Why a request failed (RFC 9457)."""

    type: str = Field(description="a URN that identifies the kind of problem", examples=["urn:realframe:request.not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(description="what failed, why, and what to do", examples=["detection 0188: does not exist."])
    code: str = Field(description="a stable code for programs", examples=["request.not-found"])
    request_id: str = Field(description="the id of the request in the log", examples=["9f0c2d6b1f7a4f6e8a53c1f0a7be1d11"])
    errors: list[FieldError] = Field(default=[], description="each invalid part of the request")


class ServerError:
    """ASGI middleware: log an unexpected exception with its traceback, and answer with status 500; 507 where the disk is full.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request. Re-raises the exception if the response has started: the server then closes the connection."""
        has_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:
            if has_started or scope["type"] != "http":
                raise
            if is_disk_full(error):
                _log.error("a request failed: %s", error)
                hint = "Nothing was stored. Ask the operator to free disk space."
                error = InsufficientStorageError("disk", "is full", hint)
            elif isinstance(error, MlflowException):
                _log.exception("MLflow failed")
                error = mlflow_server.translate_error(error)
            else:
                _log.exception("a request failed")
            response = await run_in_threadpool(error_response, Request(scope), error)
            await response(scope, receive, send)


def add_exception_handlers(app: FastAPI) -> None:
    """Let the application answer errors with the responses of this module."""
    app.add_exception_handler(SignInRequiredError, _redirect_to_sign_in)
    for error_class in (RealframeError, HTTPException, RequestValidationError):
        app.add_exception_handler(error_class, error_response)


def error_response(request: Request, error: Exception) -> Response:
    """Return the response to a request that failed; it reveals nothing of an unexpected exception."""
    if isinstance(error, RequestError):
        request.app.state.metrics.count_refusal(error.code)
    path: str = request.scope["path"]  # not that of `request.url`, which is made with the request's Host header
    if path.startswith("/api/") or path == "/readyz":
        return _problem_of_error(request, error)
    if isinstance(error, RealframeError):
        response = _error_page(request, _page_status(request, error), str(error))
        response.headers.update(_retry_headers(error))
        return response
    if isinstance(error, HTTPException):
        response = _error_page(request, error.status_code, str(error.detail))
        response.headers.update(_http_headers(request, error))
        return response
    if isinstance(error, RequestValidationError):
        return _error_page(request, 422, "The form or address is not valid.")
    request_id = getattr(request.state, "request_id", "")
    return _error_page(request, 500, f"An internal error occurred. The log has the details under request id {request_id}.")


def problem_response(
    request: Request,
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    field_errors: list[FieldError] | None = None,
) -> Response:
    """Return a response with problem details."""
    problem = Problem(
        type=f"urn:realframe:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=getattr(request.state, "request_id", ""),
        errors=field_errors or [],
    )
    rate_headers = getattr(request.state, "rate", {})
    return Response(problem.model_dump_json(), status, {**rate_headers, **(headers or {})}, PROBLEM_MEDIA_TYPE)


def get_status(error: RealframeError) -> int:
    """Return the HTTP status of an error: that of its nearest base class."""
    return next(_STATUSES[cls] for cls in type(error).__mro__ if cls in _STATUSES)


def _problem_of_error(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestValidationError):
        field_errors = [FieldError(location=".".join(map(str, item["loc"])), message=str(item["msg"])) for item in error.errors()]
        detail = "; ".join(f"{item.location}: {item.message}" for item in field_errors[:5])
        return problem_response(request, 422, "request.invalid", detail, field_errors=field_errors)
    if isinstance(error, HTTPException):
        code = _CODES.get(error.status_code, RequestError.code)
        return problem_response(request, error.status_code, code, str(error.detail), _http_headers(request, error))
    if isinstance(error, RealframeError):
        return problem_response(request, get_status(error), error.code, str(error), _extra_headers(error))
    return problem_response(request, 500, RealframeError.code, "An internal error occurred. The log has the details under the request id.")


def _http_headers(request: Request, error: HTTPException) -> dict[str, str]:
    headers = dict(error.headers or {})
    return headers | {"Allow": ", ".join(_list_methods(request))} if error.status_code == 405 else headers


def _list_methods(request: Request) -> list[str]:
    """Return the methods of all routes of a request's path; Starlette's own error names those of the first route only."""
    # a mounted application has moved the beginning of the path to `root_path`
    scope = {**request.scope, "root_path": request.scope.get("app_root_path", request.scope.get("root_path", ""))}
    routes = [route for route in request.app.routes if route.matches(scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", _MOUNT_METHODS)})


def _extra_headers(error: RealframeError) -> dict[str, str]:
    return {"WWW-Authenticate": "Bearer"} if isinstance(error, request_errors.AuthenticationError) else _retry_headers(error)


def _retry_headers(error: RealframeError) -> dict[str, str]:
    return {"Retry-After": str(error.wait_s)} if isinstance(error, RetryLaterError | DecisionBusyError) else {}


def _error_page(request: Request, status: int, message: str) -> HTMLResponse:
    user = None
    with suppress(MetadataError):  # without the store, nobody is signed in
        user = request.app.state.sessions.load_user(request, request.app.state.store)
    return render_page(request, "error", user, status, number=status, message=message)


def _page_status(request: Request, error: RealframeError) -> int:
    """Return 404 for something that cannot be shown, 403 or 409 for an action that is refused."""
    if isinstance(error, RequestError | MetadataError | SetupError | DecisionBusyError):
        return get_status(error)
    refused = 403 if isinstance(error, AccountError) else 409
    return 404 if request.method == "GET" else refused


def _redirect_to_sign_in(request: Request, _: Exception) -> Response:
    query = f"?next={quote(request.scope['path'])}" if request.method == "GET" else ""
    return RedirectResponse(f"/sign-in{query}", 303)
