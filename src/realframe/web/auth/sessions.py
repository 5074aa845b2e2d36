"""Who is signed in: a signed cookie that names an account, and ends with its password.

Links that let somebody without an account see one answer: signed, for 30 days, or until the detection is deleted.

The first account: without one nobody could sign in to make others.
"""

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fastapi import Request, Response
from itsdangerous import BadData, BadSignature, URLSafeTimedSerializer

from realframe.errors import AccountError
from realframe.files import write_text
from realframe.store import accounts
from realframe.store.accounts import DECIDE, Account
from realframe.store.repository import Store

COOKIE = "realframe_session"
_LIVES_S = 12 * 3600


class SignInNeededError(Exception):
    """Nobody is signed in; the page that was asked for is shown afterwards."""


@dataclass(frozen=True)
class User:
    """Who is signed in.

    Attributes:
        account: theirs.
        csrf: what a form must send back to prove that it came from a page of ours.
    """

    account: Account
    csrf: str

    @property
    def decides(self) -> bool:
        """They may decide on model versions."""
        return self.account.role in DECIDE

    def check_form(self, csrf: str) -> None:
        """Raise AccountError where a form did not come from a page of ours."""
        if not hmac.compare_digest(self.csrf.encode(), csrf.encode()):
            raise AccountError("form", "did not come from a page of this application, or that page is old", "Open the page anew.")


class Sessions:
    """Makes and reads session cookies.

    Args:
        state: the folder in which the key lies that signs them; it is made on first use.
    """

    def __init__(self, state: Path) -> None:
        self._key = signing_key(state)
        self._signer = URLSafeTimedSerializer(self._key, salt="session")

    def begin(self, response: Response, account: Account, *, secure: bool) -> None:
        """Sign an account in."""
        value = self._signer.dumps({"name": account.name, "stamp": _stamp(account)})
        response.set_cookie(COOKIE, str(value), max_age=_LIVES_S, httponly=True, samesite="strict", secure=secure)

    def end(self, response: Response) -> None:
        """Sign out."""
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")

    def visitor(self, request: Request, store: Store) -> User | None:
        """Return who sent a request; None where the cookie is missing, old, forged, or of a password that is no more."""
        cookie = request.cookies.get(COOKIE, "")
        try:
            said = self._signer.loads(cookie, max_age=_LIVES_S)
        except BadSignature:
            return None
        account = store.get(Account, said["name"])
        if account is None or not hmac.compare_digest(_stamp(account), said["stamp"]):
            return None
        return User(account, hmac.new(self._key.encode(), cookie.encode(), hashlib.sha256).hexdigest())


def signed_in(request: Request) -> User:
    """Return who is signed in, as FastAPI's dependency. Raises SignInNeededError."""
    visitor: User | None = request.app.state.sessions.visitor(request, request.app.state.store)
    if visitor is None:
        raise SignInNeededError
    return visitor


def signing_key(state: Path) -> str:
    """Return the key that signs cookies and links; it is made on first use."""
    file = state / "session.key"
    if not file.exists():
        write_text(file, secrets.token_hex(32))
        file.chmod(0o600)
    return file.read_text()


def _stamp(account: Account) -> str:
    """What changes with the password, and tells nothing of it."""
    return hashlib.sha256(f"{account.salt}{account.scrypt}".encode()).hexdigest()[:16]


LIVES = timedelta(days=30)


class Sharing:
    """Makes and reads the tokens of such links. Nothing is stored: whoever has the link has the right to look.

    Args:
        state: the folder in which the key lies that signs them, the same as for sessions.
    """

    def __init__(self, state: Path) -> None:
        self._signer = URLSafeTimedSerializer(signing_key(state), salt="share")

    def token(self, detection_id: str) -> str:
        """Return the token of a link to a detection."""
        return str(self._signer.dumps(detection_id))

    def opened(self, token: str) -> str | None:
        """Return the detection that a token stands for; None where it is forged or too old."""
        try:
            return str(self._signer.loads(token, max_age=int(LIVES.total_seconds())))
        except BadData:
            return None


def ends() -> str:
    """Return the last day of a link that is made now, ISO 8601, UTC."""
    return (datetime.now(UTC) + LIVES).date().isoformat()


_NAME = "admin"
_log = logging.getLogger(__name__)


def welcome(store: Store) -> None:
    """Where there is no account yet, make ``admin`` and tell its password, once and on the terminal only."""
    if accounts.everyone(store):
        return
    password = secrets.token_urlsafe(12)
    accounts.add(store, _NAME, "admin", password)
    print(
        f"\nThe first account: {_NAME}, password {password}\n"
        f"It is told only now. Others: `realframe users add NAME --role reviewer`; a new password: `realframe users passwd {_NAME}`.\n",
        flush=True,
    )
    _log.info("made the account %s", _NAME)
