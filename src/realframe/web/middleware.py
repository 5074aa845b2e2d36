"""ASGI middleware: a size limit for forms and JSON, security headers, and the access log."""

import logging
import re
import time
import uuid
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from realframe.errors import ForbiddenError
from realframe.web import error_responses
from realframe.web.api.schemas import PREFIX
from realframe.web.request_errors import ContentTooLargeError

_UPLOAD_PATHS = (f"{PREFIX}/detections", "/check")
_MAX_BODY_BYTES = 100_000
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_VALID_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DEBUG_PATHS = ("/static", "/healthz", "/readyz", "/metrics")
_CLIENT_CLOSED_REQUEST = 499
_log = logging.getLogger("realframe.access")


class BodyLimit:
    """Refuse a large body, since forms and JSON are read into memory. Uploads are streamed and have limits of their own.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["path"] in _UPLOAD_PATHS:
            await self._app(scope, receive, send)
        elif _content_length(scope) > _MAX_BODY_BYTES:
            response = await run_in_threadpool(error_responses.error_response, Request(scope), _body_too_large())
            await response(scope, receive, send)
        else:
            await self._app(scope, _limit_received(receive), send)


def _limit_received(receive: Receive) -> Receive:
    """Raise ContentTooLargeError for a body without a Content-Length that exceeds the limit."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > _MAX_BODY_BYTES:
            raise _body_too_large()
        return message

    return receive_limited


def _content_length(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


def _body_too_large() -> ContentTooLargeError:
    return ContentTooLargeError("body", f"is larger than {_MAX_BODY_BYTES:,} bytes", "This address accepts a form or a small JSON body.")


class SecurityHeaders:
    """Add security headers, and refuse requests from other sites by their Origin header (OWASP's CSRF Prevention Cheat Sheet).

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] not in _SAFE_METHODS and _is_cross_origin(scope):
            error = ForbiddenError("request", "comes from another site", "Send it from a page of this application, or with an API key.")
            response = await run_in_threadpool(error_responses.error_response, Request(scope), error)
            await response(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


def _is_cross_origin(scope: Scope) -> bool:
    headers, public_url = Headers(scope=scope), scope["app"].state.settings.public_url
    origin = headers.get("origin")
    return bool(origin) and origin != public_url and urlsplit(origin).netloc != headers.get("host")


class AccessLog:
    """Give each request an id, count and time it, and write a line of the access log. This is the outermost middleware.

    Args:
        app: the application; its state holds ``metrics``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; its response carries the id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), _CLIENT_CLOSED_REQUEST
        scope.setdefault("state", {})["request_id"] = request_id = _request_id(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                _log_request(scope, status, time.monotonic() - start)


def _request_id(scope: Scope) -> str:
    """Return the request's own id if it is valid, else a new one."""
    request_id = Headers(scope=scope).get("x-request-id", "")
    return request_id if _VALID_REQUEST_ID.fullmatch(request_id) else uuid.uuid4().hex


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")  # the route's template, since each id would create a time series of its own
    scope["app"].state.metrics.count_request(scope["method"], route, status, seconds)
    fields = {
        "method": scope["method"],
        "path": scope["path"],
        "route": route,
        "status": status,
        "seconds": round(seconds, 4),
        "user": scope["state"].get("user_name", ""),
        "address": scope["client"][0] if scope.get("client") else "",
    }
    level = logging.DEBUG if scope["path"].startswith(_DEBUG_PATHS) and status < 400 else logging.INFO
    _log.log(level, "request", extra=fields)
