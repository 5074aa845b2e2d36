"""Sign users in with a cookie, protect their forms against requests from other sites (CSRF), and sign share links.

The cookie holds the random token of a session in the store (``store/accounts.py``): a copy of it is not valid after the user has signed
out. A share link shows one detection to people without an account. It holds a signed token and nothing is stored; it is valid for 30
days, or until the detection is deleted.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from realframe.errors import ForbiddenError
from realframe.permissions import load_secret
from realframe.settings import Settings
from realframe.store import accounts
from realframe.store.accounts import Account, User
from realframe.store.repository import Store

COOKIE = "realframe_session"
CSRF_HEADER = "X-CSRF-Token"
_MAX_AGE_S = int(accounts.SESSION_LIFETIME.total_seconds())
SHARE_LINK_LIFETIME = timedelta(days=30)


class SignInRequiredError(Exception):
    """The page needs a user who is signed in; the browser is redirected to the sign-in form and then back."""


class Sessions:
    """Create, read and end the sessions of browsers.

    Args:
        settings: the state folder, which holds the key of the CSRF tokens, and the public address.
    """

    def __init__(self, settings: Settings) -> None:
        self._key = load_signing_key(settings.state_dir)
        self._has_public_tls = bool(settings.public_url) and str(settings.public_url).startswith("https:")

    def start(self, request: Request, response: Response, store: Store, account: Account) -> None:
        """Start a session of an account and set its cookie on a response; where the page has TLS, the cookie is sent with TLS only."""
        token = accounts.start_session(store, account)
        secure = self._has_public_tls or request.scope["scheme"] == "https"
        response.set_cookie(COOKIE, token, max_age=_MAX_AGE_S, httponly=True, samesite="strict", secure=secure)

    def end(self, request: Request, response: Response, store: Store) -> None:
        """End the session of a request, of which no copy of the cookie is valid from then on, and delete the cookie."""
        accounts.end_session(store, request.cookies.get(COOKIE, ""))
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")

    def load_user(self, request: Request, store: Store) -> User | None:
        """Return the user of a request; None if the cookie is missing or unknown, or its session has ended."""
        token = request.cookies.get(COOKIE, "")
        account = accounts.find_session_account(store, token)
        if account is None:
            return None
        csrf_token = hmac.new(self._key.encode(), token.encode(), hashlib.sha256).hexdigest()
        return User(account.name, account.role, csrf_token=csrf_token)


def require_user(request: Request) -> User:
    """Return the user who is signed in, as FastAPI's dependency. Raises SignInRequiredError."""
    user: User | None = request.app.state.sessions.load_user(request, request.app.state.store)
    if user is None:
        raise SignInRequiredError
    return user


SignedInUser = Annotated[User, Depends(require_user)]
"""An argument of a page's route: the user who is signed in."""


def check_csrf(user: User, csrf_token: str) -> None:
    """Raise ForbiddenError if a session's request does not come from a page of this application; an API key needs no token."""
    if not user.api_key and not hmac.compare_digest(user.csrf_token.encode(), csrf_token.encode()):
        hint = f"Reload the page and send the form again; a program sends the page's token as the header {CSRF_HEADER}."
        raise ForbiddenError("request", "does not come from a page of this session", hint)


def load_signing_key(state: Path) -> str:
    """Return the key of CSRF tokens and share links; it is created on first use."""
    return load_secret(state / "session.key")


class ShareLinks:
    """Create and read the tokens of share links.

    Args:
        state: the folder of the signing key, the same as for CSRF tokens.
    """

    def __init__(self, state: Path) -> None:
        self._signer = URLSafeTimedSerializer(load_signing_key(state), salt="share")

    def create_token(self, detection_id: str) -> str:
        """Return the token of a link to a detection."""
        return str(self._signer.dumps(detection_id))

    def read_token(self, token: str) -> str | None:
        """Return the id of the detection that a token belongs to; None if the token is forged or expired."""
        try:
            return str(self._signer.loads(token, max_age=int(SHARE_LINK_LIFETIME.total_seconds())))
        except BadData:
            return None


def share_link_expiry() -> str:
    """Return the last day of a link that is created now, ISO 8601, UTC."""
    return (datetime.now(UTC) + SHARE_LINK_LIFETIME).date().isoformat()
