"""Keeps forms and JSON small: they are read into memory. A file that is handed in is not, and has limits of its own."""

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bonafide.errors import TooLargeError
from bonafide.serving import faults
from bonafide.serving.api.schemas import PREFIX

_FILES = (f"{PREFIX}/detections", "/check")
_MOST = 100_000


class SmallBodies:
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
            answer = await run_in_threadpool(faults.answered, Request(scope), _too_large())
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
