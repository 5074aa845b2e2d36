"""Watches every request: gives it an id, counts and times it, and writes a line of the access log."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/static", "/healthz", "/readyz", "/metrics")
_log = logging.getLogger("bonafide.access")


class Watching:
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
