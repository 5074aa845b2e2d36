"""Who decides, through which door, and what vouches for the name."""

from dataclasses import dataclass

from bonafide.errors import AccountError, RegistryError
from bonafide.metadata import accounts
from bonafide.metadata.accounts import Account
from bonafide.metadata.schema import Authenticated, Via
from bonafide.metadata.store import open_store
from bonafide.settings import get_settings


@dataclass(frozen=True)
class Reviewer:
    """Somebody who decides.

    Attributes:
        name: of the account that was authenticated.
        via: the door: ``cli``, ``airflow``, ``web`` or ``mlflow``.
        authenticated: what vouches for the name: the operating system (``os``), ``airflow``, a ``password``, or nothing (``none``).
    """

    name: str
    via: Via
    authenticated: Authenticated

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise RegistryError("reviewer", "a decision needs the name of who decides", "Give --reviewer NAME or set BONAFIDE_REVIEWER.")


def by_login(name: str) -> Reviewer:
    """Return the user of this process, whom the operating system knows. Raises AccountError where an account says that he may only look."""
    with open_store(get_settings()) as store:
        account = store.get(Account, name)
    if account:
        _refuse_onlookers(account)
    return Reviewer(name, "cli", "os")


def by_password(name: str, password: str, via: Via) -> Reviewer:
    """Return whose account it is. Raises AccountError where the password is wrong or the account may only look."""
    with open_store(get_settings()) as store:
        account = accounts.sign_in(store, name, password)
    _refuse_onlookers(account)
    return Reviewer(account.name, via, "password")


def _refuse_onlookers(account: Account) -> None:
    if account.role not in accounts.DECIDE:
        raise AccountError(account.name, f"is {account.role}, who may look but not decide", "Ask a reviewer or an admin.")
