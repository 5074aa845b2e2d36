"""Sign users in with a signed cookie, protect their forms against requests from other sites (CSRF), and sign share links.

The cookie holds the name of the account and a digest of its password hash, so that a new password ends every session of the account. A
share link shows one detection to people without an account. It holds a signed token and nothing is stored; it is valid for 30 days, or
until the detection is deleted.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request, Response
from itsdangerous import BadData, BadSignature, URLSafeTimedSerializer

from realframe.errors import ForbiddenError
from realframe.files import write_text
from realframe.store.accounts import Account, User
from realframe.store.repository import Store

COOKIE = "realframe_session"
CSRF_HEADER = "X-CSRF-Token"
_SESSION_LIFETIME_S = 12 * 3600
SHARE_LINK_LIFETIME = timedelta(days=30)


class SignInRequiredError(Exception):
    """The page needs a user who is signed in; the browser is redirected to the sign-in form and then back."""


class Sessions:
    """Create and read session cookies.

    Args:
        state: the folder of the signing key, which is created on first use.
    """

    def __init__(self, state: Path) -> None:
        self._key = load_signing_key(state)
        self._signer = URLSafeTimedSerializer(self._key, salt="session")

    def start(self, response: Response, account: Account, *, secure: bool) -> None:
        """Set the session cookie of an account on a response."""
        value = self._signer.dumps({"name": account.name, "stamp": _password_stamp(account)})
        response.set_cookie(COOKIE, str(value), max_age=_SESSION_LIFETIME_S, httponly=True, samesite="strict", secure=secure)

    def end(self, response: Response) -> None:
        """Delete the session cookie."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")

    def load_user(self, request: Request, store: Store) -> User | None:
        """Return the user of a request; None if the cookie is missing, expired or forged, or the password has changed since."""
        cookie = request.cookies.get(COOKIE, "")
        try:
            session = self._signer.loads(cookie, max_age=_SESSION_LIFETIME_S)
        except BadSignature:
            return None
        account = store.get(Account, session["name"])
        if account is None or not hmac.compare_digest(_password_stamp(account), session["stamp"]):
            return None
        csrf_token = hmac.new(self._key.encode(), cookie.encode(), hashlib.sha256).hexdigest()
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
    """Return the key that signs cookies and share links; it is created on first use."""
    file = state / "session.key"
    if not file.exists():
        write_text(file, secrets.token_hex(32))
        file.chmod(0o600)
    return file.read_text()


def _password_stamp(account: Account) -> str:
    """Return a digest that changes with the password and does not reveal it."""
    return hashlib.sha256(f"{account.salt}{account.password_hash}".encode()).hexdigest()[:16]


class ShareLinks:
    """Create and read the tokens of share links.

    Args:
        state: the folder of the signing key, the same as for sessions.
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
