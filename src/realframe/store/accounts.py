"""Accounts of people, in the store: a role, and the password as a salted scrypt hash; and the sessions of people who are signed in.

An account is as safe as the store's own access control: whoever can write to the store can write accounts. The parameters of scrypt are
those that OWASP's Password Storage Cheat Sheet recommends (N = 2^17, r = 8, p = 1: 128 MiB and about half a second per attempt). A session
is valid as long as its document exists, its time is not over, and its account has the same password and role as when it began.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

from pydantic import Field

from realframe.errors import AccountError
from realframe.store.document_base import Document, Sha256, format_current_time
from realframe.store.repository import Store

Role = Literal["reviewer", "admin", "analyst"]
ROLES: tuple[Role, ...] = get_args(Role)
DECIDING_ROLES = ("reviewer", "admin")
"""The roles that may decide on a model version; an analyst may only view it."""
MIN_PASSWORD_LENGTH = 10
_N, _R, _P = 2**17, 8, 1
_MEMORY = 2 * 128 * _N * _R
_SALT_BYTES = 16
SESSION_LIFETIME = timedelta(hours=12)
_TOKEN_BYTES = 32


class Account(Document):
    """An account with which a person can sign in.

    Attributes:
        name: the name, which the ledger records with each decision.
        role: ``reviewer`` and ``admin`` may decide, ``analyst`` may only view.
        salt: salt of the password hash, hex.
        password_hash: scrypt hash of the password, hex.
        created: when the account was created, UTC, ISO 8601.
    """

    COLLECTION = "accounts"
    KEY = "name"

    name: str = Field(pattern=r"^[\w.@+-]{1,64}$")
    role: Role
    salt: str = Field(pattern="^[0-9a-f]{32}$")
    password_hash: str = Field(pattern="^[0-9a-f]{128}$")
    created: str


class Session(Document):
    """A person who is signed in.

    Attributes:
        token_sha256: SHA-256 of the token, which only the browser's cookie holds.
        name: name of the account.
        account_digest: digest of the account's password hash and role when the session began.
        expires: when the session ends, UTC, ISO 8601.
    """

    COLLECTION = "sessions"
    KEY = "token_sha256"

    token_sha256: Sha256
    name: str
    account_digest: Sha256
    expires: str


@dataclass(frozen=True)
class User:
    """The sender of a request: a person who is signed in, or a program with an API key.

    Attributes:
        name: name of the account.
        role: role of the account, or of the API key if it has a lower one.
        api_key: name of the API key; empty for a session.
        csrf_token: the token that a session must send with a request that changes something; empty for an API key.
    """

    name: str
    role: Role
    api_key: str = ""
    csrf_token: str = ""

    @property
    def can_decide(self) -> bool:
        """Whether the role allows decisions on model versions."""
        return self.role in DECIDING_ROLES

    @property
    def can_see_all(self) -> bool:
        """Whether the role shows the files that others uploaded."""
        return self.role in ("reviewer", "admin")

    def can_delete(self, owner: str) -> bool:
        """Whether this user may delete what ``owner`` uploaded."""
        return self.name == owner or self.role == "admin"


def add_account(store: Store, name: str, role: Role, password: str) -> None:
    """Create an account. Raises AccountError if the name is taken or not valid, or if the password is too short."""
    if store.get(Account, name):
        raise AccountError(name, "has an account already", f"Set a new password: `realframe users passwd {name}`.")
    store.upsert([_new_account(name, role, password)])


def set_password(store: Store, name: str, password: str) -> None:
    """Set a new password. Raises AccountError if there is no such account, or if the password is too short."""
    store.upsert([_new_account(name, get_account(store, name).role, password)])


def get_account(store: Store, name: str) -> Account:
    """Return an account. Raises AccountError if there is none with this name."""
    account = store.get(Account, name)
    if account is None:
        known = ", ".join(other.name for other in list_accounts(store)) or "none"
        raise AccountError(name, f"has no account (there are: {known})", f"Create one: `realframe users add {name} --role reviewer`.")
    return account


def list_accounts(store: Store) -> list[Account]:
    """Return all accounts, by name."""
    return store.find(Account)


def remove_account(store: Store, name: str) -> None:
    """Delete an account and its sessions; its decisions stay in the ledger. Raises AccountError if there is none with this name."""
    store.delete(Account, [get_account(store, name).key])
    store.delete(Session, store.find_keys(Session, {"name": name}))


def verify_password(store: Store, name: str, password: str) -> Account:
    """Return the account with a name if the password is correct.

    Raises AccountError: the same error after the same time, whether the name or the password is wrong.
    """
    account = store.get(Account, name)
    salt, expected = (account.salt, account.password_hash) if account else ("0" * 2 * _SALT_BYTES, "")
    is_correct = hmac.compare_digest(_hash_password(password, salt), expected)
    if account is None or not is_correct:
        raise AccountError(name, "the name or the password is not correct", "Set a new password: `realframe users passwd NAME`.")
    return account


def start_session(store: Store, account: Account) -> str:
    """Store a session of an account and return its token; sessions that have expired are deleted."""
    now = datetime.now(UTC)
    store.delete(Session, store.find_keys(Session, {"expires": {"$lt": now.isoformat(timespec="milliseconds")}}))
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    expires = (now + SESSION_LIFETIME).isoformat(timespec="milliseconds")
    store.insert(Session(token_sha256=_digest_token(token), name=account.name, account_digest=_digest_account(account), expires=expires))
    return token


def find_session_account(store: Store, token: str) -> Account | None:
    """Return the account that is signed in with a token; None if the session has ended, or if the account was removed or changed."""
    session = store.get(Session, _digest_token(token)) if token else None
    if session is None or session.expires < format_current_time():
        return None
    account = store.get(Account, session.name)
    return account if account and hmac.compare_digest(_digest_account(account), session.account_digest) else None


def end_session(store: Store, token: str) -> None:
    """Delete the session of a token, which is not valid from then on."""
    store.delete(Session, [_digest_token(token)])


def _digest_token(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _digest_account(account: Account) -> str:
    return hashlib.sha256(f"{account.role} {account.salt} {account.password_hash}".encode()).hexdigest()


def _new_account(name: str, role: Role, password: str) -> Account:
    if len(password) < MIN_PASSWORD_LENGTH:
        raise AccountError(name, f"a password needs at least {MIN_PASSWORD_LENGTH} characters", "Choose a longer one.")
    salt = secrets.token_hex(_SALT_BYTES)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return Account(name=name, role=role, salt=salt, password_hash=_hash_password(password, salt), created=created)
    except ValueError as error:
        reason = "is not a valid account name: use letters, digits and . @ + - _ only, 64 characters at most"
        raise AccountError(name, reason, "Choose another name.") from error


def _hash_password(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=_N, r=_R, p=_P, maxmem=_MEMORY).hex()
