"""Who is signed in: a signed cookie that names an account, and ends with its password."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from bonafide.errors import AccountError
from bonafide.files import write_text
from bonafide.metadata.accounts import DECIDE, Account
from bonafide.metadata.store import Store

COOKIE = "bonafide_session"
_LIVES_S = 12 * 3600


class SignInNeededError(Exception):
    """Nobody is signed in; the page that was asked for is shown afterwards."""


@dataclass(frozen=True)
class Visitor:
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

    def visitor(self, request: Request, store: Store) -> Visitor | None:
        """Return who sent a request; None where the cookie is missing, old, forged, or of a password that is no more."""
        cookie = request.cookies.get(COOKIE, "")
        try:
            said = self._signer.loads(cookie, max_age=_LIVES_S)
        except BadSignature:
            return None
        account = store.get(Account, said["name"])
        if account is None or not hmac.compare_digest(_stamp(account), said["stamp"]):
            return None
        return Visitor(account, hmac.new(self._key.encode(), cookie.encode(), hashlib.sha256).hexdigest())


def signed_in(request: Request) -> Visitor:
    """Return who is signed in, as FastAPI's dependency. Raises SignInNeededError."""
    visitor: Visitor | None = request.app.state.sessions.visitor(request, request.app.state.store)
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
