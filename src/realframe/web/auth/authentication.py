"""Who calls the API: a program with a key, or a page of ours in the browser of somebody who is signed in."""

import hmac
from dataclasses import dataclass
from typing import Annotated, Self

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from realframe.errors import AuthenticationError, ForbiddenError
from realframe.store import api_keys
from realframe.store.accounts import Role
from realframe.store.repository import Store
from realframe.web.auth.sessions import COOKIE, User

CSRF_HEADER = "X-CSRF-Token"
_SAFE = ("GET", "HEAD", "OPTIONS")
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key: `realframe keys add NAME`.")
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"Of somebody who is signed in; what changes something also needs the header `{CSRF_HEADER}`.",
)


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: the account.
        role: what they may do.
        key: the name of the API key; empty for a session.
        csrf: what a session's request must carry that changes something; empty for a key.
    """

    name: str
    role: Role
    key: str = ""
    csrf: str = ""

    @classmethod
    def of_visitor(cls, visitor: User) -> Self:
        """Return who is signed in."""
        return cls(visitor.account.name, visitor.account.role, csrf=visitor.csrf)

    @property
    def sees_all(self) -> bool:
        """They may see what others handed in."""
        return self.role in ("reviewer", "admin")

    def may_remove(self, owner: str) -> bool:
        """They may take away what ``owner`` handed in."""
        return self.name == owner or self.role == "admin"

    def check_csrf(self, given: str) -> None:
        """Raise ForbiddenError where a session's request did not come from a page of ours; a key needs no such proof."""
        if not self.key and not hmac.compare_digest(self.csrf.encode(), given.encode()):
            hint = f"Send the header {CSRF_HEADER} (or the form's field) of a page that was opened in this session."
            raise ForbiddenError("request", "did not come from a page of this application", hint)


def authenticate(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    """Return who calls, as FastAPI's dependency. A key goes before a session. Raises AuthenticationError, ForbiddenError, RateLimitError."""
    store = request.app.state.store
    caller = _of_key(request, store, bearer.credentials) if bearer else _of_session(request, store)
    if request.method not in _SAFE:
        caller.check_csrf(request.headers.get(CSRF_HEADER, ""))
    request.state.who = caller.key or caller.name
    return caller


def _of_key(request: Request, store: Store, text: str) -> Caller:
    key = api_keys.known(store, text)
    if key is None:
        request.app.state.pace.failed_key(request.client.host if request.client else "")
        raise AuthenticationError("API key", "is not valid (any more)", "Make one: `realframe keys add NAME`.")
    return Caller(key.owner, key.role, key=key.name)


def _of_session(request: Request, store: Store) -> Caller:
    visitor: User | None = request.app.state.sessions.visitor(request, store)
    if visitor is None:
        hint = "Send an API key as `Authorization: Bearer bf_...` (`realframe keys add NAME`), or sign in."
        raise AuthenticationError("request", "says not who sends it, or the session has ended", hint)
    return Caller.of_visitor(visitor)


Calling = Annotated[Caller, Depends(authenticate)]
"""A route's argument: who calls."""
