"""Keys of programs that use the API, in the store: of a key only its SHA-256 is kept. It has 256 random bits, so that no salt is needed."""

import hashlib
import secrets

from pydantic import Field

from realframe.errors import AccountError
from realframe.store import accounts
from realframe.store.accounts import Account, Role
from realframe.store.document_base import Document, Sha256, now
from realframe.store.repository import Store

PREFIX = "bf_"
_BYTES = 32
_SHOWN = 4
_POWER: dict[Role, int] = {"analyst": 0, "reviewer": 1, "admin": 2}


class ApiKey(Document):
    """A key of a program.

    Attributes:
        sha256: of the key.
        name: by which people know it.
        role: what the program may do, but never more than its owner.
        owner: the account in whose name it acts; without that account the key is worth nothing.
        created: when it was made, UTC, ISO 8601.
        last: its last four characters.
    """

    COLLECTION = "api_keys"
    KEY = "sha256"

    sha256: Sha256
    name: str = Field(pattern=r"^[\w.@+-]{1,64}$")
    role: Role
    owner: str
    created: str
    last: str


def add(store: Store, name: str, role: Role, owner: str) -> str:
    """Make a key and return it; it can't be shown again. Raises AccountError where the name is taken or no name, or the owner unknown."""
    if any(key.name == name for key in everyone(store)):
        raise AccountError(name, "is the name of a key already", f"Choose another one, or remove it: `realframe keys remove {name}`.")
    accounts.get(store, owner)
    key = PREFIX + secrets.token_urlsafe(_BYTES)
    try:
        made = ApiKey(sha256=_digest(key), name=name, role=role, owner=owner, created=now(), last=key[-_SHOWN:])
    except ValueError as error:
        reason = "is no name for a key: letters, digits and . @ + - _ only, 64 at most"
        raise AccountError(name, reason, "Choose another one.") from error
    store.insert(made)
    return key


def everyone(store: Store) -> list[ApiKey]:
    """Return all keys, by name."""
    return sorted(store.find(ApiKey), key=lambda key: key.name)


def remove(store: Store, name: str) -> None:
    """Take a key away: from then on it is worth nothing. Raises AccountError where there is none of that name."""
    found = [key.key for key in everyone(store) if key.name == name]
    if not found:
        raise AccountError(name, "is the name of no key", "See `realframe keys list`.")
    store.delete(ApiKey, found)


def known(store: Store, key: str) -> ApiKey | None:
    """Return a key, with the lower one of its role and its owner's; None where it was never made, or it or its owner was removed."""
    found = store.get(ApiKey, _digest(key)) if key.startswith(PREFIX) else None
    owner = store.get(Account, found.owner) if found else None
    if found is None or owner is None:
        return None
    return found.model_copy(update={"role": min(found.role, owner.role, key=lambda role: _POWER[role])})


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
