"""Authenticate API requests: by an API key, or by the session of a browser that is signed in."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from realframe.store import api_keys
from realframe.store.accounts import User
from realframe.store.repository import Store
from realframe.web.auth.sessions import COOKIE, CSRF_HEADER, check_csrf
from realframe.web.request_errors import AuthenticationError

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key; create one with `realframe keys add NAME`.")
_cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description=f"The session of a signed-in user. Requests that change something also need the header `{CSRF_HEADER}`.",
)


def authenticate(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> User:
    """Return the user of a request, as FastAPI's dependency; an API key takes precedence over a session.

    Raises AuthenticationError, ForbiddenError, RateLimitError.
    """
    store = request.app.state.store
    user = _user_of_api_key(request, store, bearer.credentials) if bearer else _user_of_session(request, store)
    if request.method not in _SAFE_METHODS:
        check_csrf(user, request.headers.get(CSRF_HEADER, ""))
    request.state.user_name = user.api_key or user.name
    return user


CurrentUser = Annotated[User, Depends(authenticate)]
"""An argument of an API route: the user of the request."""


def _user_of_api_key(request: Request, store: Store, text: str) -> User:
    key = api_keys.find_valid_key(store, text)
    if key is None:
        request.app.state.rate_limits.count_failed_key(request.client.host if request.client else "")
        raise AuthenticationError("API key", "is not valid", "Create one: `realframe keys add NAME`.")
    return User(key.owner, key.role, api_key=key.name)


def _user_of_session(request: Request, store: Store) -> User:
    user: User | None = request.app.state.sessions.load_user(request, store)
    if user is None:
        hint = "Send an API key as `Authorization: Bearer rf_...` (`realframe keys add NAME`), or sign in."
        raise AuthenticationError("request", "has no API key, and no session or an expired one", hint)
    return user
