"""Accounts of people who review, in the store: a role, and a password that is kept as a salted scrypt hash only.

Whoever can write to the store can write accounts: it is as safe as the store's own access control. The parameters of scrypt are those
that OWASP's Password Storage Cheat Sheet recommends (N = 2^17, r = 8, p = 1: 128 MiB and about half a second per try).
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Literal, get_args

from pydantic import Field

from realframe.errors import AccountError
from realframe.store.document_base import Document
from realframe.store.repository import Store

Role = Literal["reviewer", "admin", "analyst"]
ROLES: tuple[Role, ...] = get_args(Role)
DECIDE = ("reviewer", "admin")
"""The roles that may decide on a model version; an analyst may look."""
SHORTEST = 10
_N, _R, _P = 2**17, 8, 1
_MEMORY = 2 * 128 * _N * _R
_SALT_BYTES = 16


class Account(Document):
    """Somebody who can sign in.

    Attributes:
        name: under which decisions stand in the ledger.
        role: ``reviewer`` and ``admin`` may decide, ``analyst`` may look.
        salt: of the hash, hex.
        scrypt: the hash of the password, hex.
        created: when the account was made, UTC, ISO 8601.
    """

    COLLECTION = "accounts"
    KEY = "name"

    name: str = Field(pattern=r"^[\w.@+-]{1,64}$")
    role: Role
    salt: str = Field(pattern="^[0-9a-f]{32}$")
    scrypt: str = Field(pattern="^[0-9a-f]{128}$")
    created: str


def add(store: Store, name: str, role: Role, password: str) -> None:
    """Make an account. Raises AccountError where the name is taken or no name, or the password too short."""
    if store.get(Account, name):
        raise AccountError(name, "has an account already", f"Set a new password: `realframe users passwd {name}`.")
    store.upsert([_account(name, role, password)])


def set_password(store: Store, name: str, password: str) -> None:
    """Give an account a new password. Raises AccountError."""
    store.upsert([_account(name, get(store, name).role, password)])


def get(store: Store, name: str) -> Account:
    """Return an account. Raises AccountError where there is none."""
    account = store.get(Account, name)
    if account is None:
        known = ", ".join(other.name for other in everyone(store)) or "none"
        raise AccountError(name, f"has no account (there are: {known})", f"Make one: `realframe users add {name} --role reviewer`.")
    return account


def everyone(store: Store) -> list[Account]:
    """Return all accounts, by name."""
    return store.find(Account)


def remove(store: Store, name: str) -> None:
    """Take an account away; its decisions stay in the ledger. Raises AccountError where there is none."""
    store.delete(Account, [get(store, name).key])


def sign_in(store: Store, name: str, password: str) -> Account:
    """Return the account of a name if the password is right.

    Raises AccountError, the same one and after the same time whether the name or the password is wrong.
    """
    account = store.get(Account, name)
    salt, expected = (account.salt, account.scrypt) if account else ("0" * 2 * _SALT_BYTES, "")
    right = hmac.compare_digest(_scrypt(password, salt), expected)
    if account is None or not right:
        raise AccountError(name, "the name or the password is not right", "A new one: `realframe users passwd NAME`.")
    return account


def _account(name: str, role: Role, password: str) -> Account:
    if len(password) < SHORTEST:
        raise AccountError(name, f"a password needs at least {SHORTEST} characters", "Choose a longer one.")
    salt = secrets.token_hex(_SALT_BYTES)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return Account(name=name, role=role, salt=salt, scrypt=_scrypt(password, salt), created=created)
    except ValueError as error:
        reason = "is no name for an account: letters, digits and . @ + - _ only, 64 at most"
        raise AccountError(name, reason, "Choose another one.") from error


def _scrypt(password: str, salt: str) -> str:
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=_N, r=_R, p=_P, maxmem=_MEMORY).hex()
