"""What every answer carries, and which requests are refused before anything looks at them."""

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bonafide.errors import ForbiddenError
from bonafide.serving import faults

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
            answer = await run_in_threadpool(faults.answered, Request(scope), refusal)
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


def _from_elsewhere(headers: Headers) -> bool:
    origin = headers.get("origin")
    return bool(origin) and urlsplit(origin).netloc != headers.get("host")
