"""Give each account of the web page its equal in Airflow and in MLflow, and remove it there.

The web page and MLflow store a hash of the password. Airflow's simple auth manager reads passwords as they are, so each account has a
random password there, in a file that only the user of the services can open: nobody's own password is stored in plain text.
"""

import json
import os
import secrets
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from realframe.errors import AccountError
from realframe.permissions import create_private_file, open_private_folder, update_private_text
from realframe.services import airflow_home
from realframe.settings import Settings, get_settings, hide_password
from realframe.store.accounts import Role, list_accounts
from realframe.store.repository import Store, open_store

SERVICE_ACCOUNT = "admin"
"""The account by which ``realframe up`` and docker-compose.yml set up Airflow and MLflow; it has passwords of its own there."""
_MLFLOW_ACCOUNTS = "accounts.db"


def list_airflow_users(store: Store) -> dict[str, str]:
    """Return the role in Airflow of each account: those of the store, and those that Airflow has from the start."""
    users = {account.name: airflow_home.ROLES[account.role] for account in list_accounts(store)}
    return {**airflow_home.USERS, **users, SERVICE_ACCOUNT: "admin"}


def set_accounts(settings: Settings, name: str, role: Role, password: str) -> Iterator[str]:
    """Create an account in Airflow and MLflow, or renew its password there; yield a sentence for each.

    Raises AccountError if MLflow refuses it or cannot be reached.
    """
    if name == SERVICE_ACCOUNT:
        yield f"In Airflow and MLflow, {name} keeps its own passwords, which `realframe up` prints."
        return
    file = airflow_home.airflow_home(settings) / airflow_home.PASSWORDS_FILE
    _update_airflow_passwords(settings, {name: secrets.token_urlsafe(9)})
    yield f"Airflow: {name}, role {airflow_home.ROLES[role]}, from its next start; the password there is in {file}."
    if (accounts := _open_mlflow_accounts(settings)) is None:
        yield "MLflow: the server has its own accounts, which are not changed."
        return
    with _translate_errors(name):
        accounts.set(name, password, is_admin=role == "admin")
    yield f"MLflow: {name}, {'an administrator' if role == 'admin' else 'may read'}; with the same password as on the web page."


def remove_accounts(settings: Settings, name: str) -> None:
    """Remove an account from Airflow and MLflow; one that is not there is left out. Raises AccountError as ``set_accounts``."""
    if name == SERVICE_ACCOUNT:
        return
    _update_airflow_passwords(settings, {name: None})
    if accounts := _open_mlflow_accounts(settings):
        with _translate_errors(name):
            accounts.remove(name)


def mlflow_database(settings: Settings) -> str:
    """Return the address of the database with the accounts of the MLflow server that ``realframe up`` starts; the file is private."""
    file = open_private_folder(settings.state_dir / "mlflow") / _MLFLOW_ACCOUNTS
    create_private_file(file)
    return f"sqlite:///{file}"


class _MlflowAccounts(Protocol):
    def set(self, name: str, password: str, *, is_admin: bool) -> None:
        """Create an account, or set its password and role."""

    def remove(self, name: str) -> None:
        """Remove an account if it exists."""


class _LocalAccounts:
    """The accounts of the server that ``realframe up`` starts, in its database: it need not run."""

    def __init__(self, settings: Settings) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of MLflow about its own code
            from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore  # takes seconds to import

            self._store = SqlAlchemyStore()
            self._store.init_db(mlflow_database(settings))

    def set(self, name: str, password: str, *, is_admin: bool) -> None:
        if self._store.has_user(name):
            self._store.update_user(name, password=password, is_admin=is_admin)
        else:
            self._store.create_user(name, password, is_admin=is_admin)

    def remove(self, name: str) -> None:
        if self._store.has_user(name):
            self._store.delete_user(name)


class _ServerAccounts:
    """The accounts of a server that is named by its address, changed by the account of MLFLOW_TRACKING_USERNAME."""

    def __init__(self, settings: Settings) -> None:
        from realframe.registry.mlflow_server import set_server

        set_server(settings)  # raises where the server does not answer
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow.server.auth.client import AuthServiceClient

        self._client = AuthServiceClient(str(settings.mlflow_tracking_uri))

    def set(self, name: str, password: str, *, is_admin: bool) -> None:
        if self._exists(name):
            self._client.update_user_password(name, password)
        else:
            self._client.create_user(name, password)
        self._client.update_user_admin(name, is_admin)

    def remove(self, name: str) -> None:
        if self._exists(name):
            self._client.delete_user(name)

    def _exists(self, name: str) -> bool:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_user(name)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True


def _open_mlflow_accounts(settings: Settings) -> _MlflowAccounts | None:
    """Return the accounts of the MLflow server in use; None for DagsHub, which has its own."""
    if (settings.mlflow_tracking_uri or "").lower().startswith(("http://", "https://")):
        return _ServerAccounts(settings)
    return None if settings.dagshub_repo and not settings.mlflow_tracking_uri else _LocalAccounts(settings)


def _update_airflow_passwords(settings: Settings, changes: Mapping[str, str | None]) -> None:
    def update(text: str) -> str:
        passwords = json.loads(text or "{}") | changes
        return json.dumps({name: password for name, password in passwords.items() if password})

    update_private_text(airflow_home.airflow_home(settings) / airflow_home.PASSWORDS_FILE, update)


@contextmanager
def _translate_errors(name: str) -> Iterator[None]:
    """Raise what MLflow refuses as an AccountError: the account of the web page is changed already."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        reason = hide_password(str(error).splitlines()[0]).rstrip(".")
        hint = f"MLFLOW_TRACKING_USERNAME must name an administrator there. Then run `realframe users passwd {name}`."
        raise AccountError(name, f"is changed on the web page and in Airflow, but not in MLflow: {reason}", hint) from error


def start_airflow_api() -> None:
    """Become Airflow's API server, with the accounts of the store; for docker-compose.yml, where no ``realframe up`` runs."""
    settings = get_settings()
    with open_store(settings) as store:
        users = list_airflow_users(store)
    airflow_home.load_passwords(settings, users)
    environment = os.environ | {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": airflow_home.format_users(users)}
    os.execvpe("airflow", ["airflow", "api-server"], environment)  # noqa: S606, S607


if __name__ == "__main__":
    start_airflow_api()
