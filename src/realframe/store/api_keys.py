"""API keys of programs, in the store, which holds only the SHA-256 of a key. A key has 256 random bits, so no salt is needed."""

import hashlib
import secrets

from pydantic import Field

from realframe.errors import AccountError
from realframe.store import accounts
from realframe.store.accounts import Account, Role
from realframe.store.document_base import Document, Sha256, format_current_time
from realframe.store.repository import Store

PREFIX = "rf_"
_KEY_BYTES = 32
_SUFFIX_LENGTH = 4
_ROLE_RANK: dict[Role, int] = {"analyst": 0, "reviewer": 1, "admin": 2}


class ApiKey(Document):
    """An API key of a program.

    Attributes:
        sha256: SHA-256 of the key.
        name: name of the key.
        role: role of the program; its owner's role applies if that is lower.
        owner: the account on whose behalf the program acts; without that account the key is not valid.
        created: when the key was created, UTC, ISO 8601.
        suffix: its last four characters.
    """

    COLLECTION = "api_keys"
    KEY = "sha256"

    sha256: Sha256
    name: str = Field(pattern=r"^[\w.@+-]{1,64}$")
    role: Role
    owner: str
    created: str
    suffix: str


def add_key(store: Store, name: str, role: Role, owner: str) -> str:
    """Create a key and return it; it cannot be shown again.

    Raises AccountError if the name is taken or not valid, or if the owner has no account.
    """
    if any(key.name == name for key in list_keys(store)):
        raise AccountError(name, "is the name of an existing key", f"Choose another name, or remove it: `realframe keys remove {name}`.")
    accounts.get_account(store, owner)
    key = PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    try:
        document = ApiKey(
            sha256=_digest(key), name=name, role=role, owner=owner, created=format_current_time(), suffix=key[-_SUFFIX_LENGTH:]
        )
    except ValueError as error:
        reason = "is not a valid key name: use letters, digits and . @ + - _ only, 64 characters at most"
        raise AccountError(name, reason, "Choose another name.") from error
    store.insert(document)
    return key


def list_keys(store: Store) -> list[ApiKey]:
    """Return all keys, by name."""
    return sorted(store.find(ApiKey), key=lambda key: key.name)


def remove_key(store: Store, name: str) -> None:
    """Delete a key, which is not valid from then on. Raises AccountError if there is none with this name."""
    digests = [key.key for key in list_keys(store) if key.name == name]
    if not digests:
        raise AccountError(name, "is not the name of a key", "List the keys: `realframe keys list`.")
    store.delete(ApiKey, digests)


def find_valid_key(store: Store, key: str) -> ApiKey | None:
    """Return a key, with the lower role of its own and its owner's; None if it does not exist, or if it or its owner was removed."""
    document = store.get(ApiKey, _digest(key)) if key.startswith(PREFIX) else None
    owner = store.get(Account, document.owner) if document else None
    if document is None or owner is None:
        return None
    return document.model_copy(update={"role": min(document.role, owner.role, key=lambda role: _ROLE_RANK[role])})


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
