"""The first account: without one nobody could sign in to make others."""

import logging
import secrets

from bonafide.metadata import accounts
from bonafide.metadata.store import Store

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
        f"It is told only now. Others: `bonafide users add NAME --role reviewer`; a new password: `bonafide users passwd {_NAME}`.\n",
        flush=True,
    )
    _log.info("made the account %s", _NAME)
