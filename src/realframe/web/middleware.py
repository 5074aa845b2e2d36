"""Keeps forms and JSON small: they are read into memory. A file that is handed in is not, and has limits of its own.

What every answer carries, and which requests are refused before anything looks at them.

Watches every request: gives it an id, counts and times it, and writes a line of the access log.
"""

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

from realframe.errors import ForbiddenError, TooLargeError
from realframe.web import error_responses
from realframe.web.api.schemas import PREFIX

_FILES = (f"{PREFIX}/detections", "/check")
_MOST = 100_000


class BodyLimit:
    """Refuses a large body where no file is asked for.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http" or scope["path"] in _FILES:
            await self._app(scope, receive, send)
        elif _said(scope) > _MOST:
            answer = await run_in_threadpool(error_responses.answered, Request(scope), _too_large())
            await answer(scope, receive, send)
        else:
            await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    """Of a body whose length nobody says not more is read either: whoever reads on meets TooLargeError."""
    read = 0

    async def counting() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > _MOST:
            raise _too_large()
        return message

    return counting


def _said(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


def _too_large() -> TooLargeError:
    return TooLargeError("body", f"is larger than {_MOST:,} bytes", "Here a form or a little JSON is asked for.")


_SAFE = ("GET", "HEAD", "OPTIONS")
_ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds the headers, and refuses a form that another site sent (a browser names its origin, OWASP's CSRF cheat sheet).

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] not in _SAFE and _from_elsewhere(Headers(scope=scope)):
            refusal = ForbiddenError("request", "came from another site", "Send it from a page of this application, or with an API key.")
            answer = await run_in_threadpool(error_responses.answered, Request(scope), refusal)
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


def _from_elsewhere(headers: Headers) -> bool:
    origin = headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc != headers.get("host")


_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/static", "/healthz", "/readyz", "/metrics")
_log = logging.getLogger("realframe.access")


class AccessLog:
    """Stands before all else.

    Args:
        app: the application; its state holds ``metrics``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on; its answer carries the id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 499  # nobody stayed to be answered
        scope.setdefault("state", {})["request_id"] = request_id = _id(scope)

        async def with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, with_id)
            finally:
                _note(scope, status, time.monotonic() - began)


def _id(scope: Scope) -> str:
    """The one that came with the request, where it is harmless."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _SANE.fullmatch(given) else uuid.uuid4().hex


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "none")  # the template: an id in it would make a series of its own
    scope["app"].state.metrics.answered(scope["method"], route, status, seconds)
    said = {
        "method": scope["method"],
        "path": scope["path"],
        "route": route,
        "status": status,
        "seconds": round(seconds, 4),
        "who": scope["state"].get("who", ""),
        "address": scope["client"][0] if scope.get("client") else "",
    }
    _log.log(logging.DEBUG if scope["path"].startswith(_QUIET) and status < 400 else logging.INFO, "answered", extra=said)
