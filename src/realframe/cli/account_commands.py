"""The commands ``realframe users`` and ``realframe keys``: accounts of people, and API keys of programs."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realframe.store.accounts import Role

users_app = typer.Typer(
    help="Add, list and remove accounts of the web page, Airflow and MLflow.", no_args_is_help=True, rich_markup_mode="markdown"
)
keys_app = typer.Typer(help="Add, list and remove API keys for programs.", no_args_is_help=True, rich_markup_mode="markdown")

_UserName = Annotated[str, typer.Argument(help="name of the account; the ledger shows it with each decision", show_default=False)]
_UserRole = Annotated[str, typer.Option(help="analyst, reviewer or admin; only reviewers and admins decide on model versions")]
_Password = Annotated[
    str,
    typer.Option(envvar="REALFRAME_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True, help="prompted for by default"),
]
_KeyName = Annotated[str, typer.Argument(help="name of the key", show_default=False)]
_KeyRole = Annotated[
    str, typer.Option(help="analyst (files of its owner), reviewer (all files) or admin; it never exceeds the role of its owner")
]
_Owner = Annotated[str, typer.Option(help="account that the key acts for; see `realframe users list`")]


@users_app.command("add")
def add_user(name: _UserName, password: _Password, role: _UserRole = "reviewer") -> None:
    """Add an account: on the web page, with an equal role in Airflow, and in MLflow where its server has accounts.

    Airflow has a password of its own for each account, in a file that is named.

    Example:

        realframe users add ada --role reviewer
    """
    from realframe.services.service_accounts import set_accounts
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    checked_role, settings = _parse_role(role), get_settings()
    with open_store(settings) as store:
        accounts.add_account(store, name, checked_role, password)
    typer.echo(f"Account {name} added with role {role}.")
    for sentence in set_accounts(settings, name, checked_role, password):
        typer.echo(sentence)


@users_app.command("list")
def list_users() -> None:
    """List the accounts and their roles.

    Example:

        realframe users list
    """
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        for account in accounts.list_accounts(store):
            typer.echo(f"{account.name}: {account.role}, since {account.created[:10]}")


@users_app.command("passwd")
def set_user_password(name: _UserName, password: _Password) -> None:
    """Set a new password for an account, on the web page and in MLflow; Airflow gets a new one of its own.

    Example:

        realframe users passwd ada
    """
    from realframe.services.service_accounts import set_accounts
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        accounts.set_password(store, name, password)
        role = accounts.get_account(store, name).role
    typer.echo(f"Password of {name} changed.")
    for sentence in set_accounts(settings, name, role, password):
        typer.echo(sentence)


@users_app.command("remove")
def remove_user(name: _UserName) -> None:
    """Remove an account, on the web page, in Airflow and in MLflow. Its decisions remain in the ledger.

    Nobody can sign in by it from then on; who is signed in to Airflow stays so for a day at most.

    Example:

        realframe users remove ada
    """
    from realframe.services.service_accounts import remove_accounts
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        accounts.remove_account(store, name)
    remove_accounts(settings, name)
    typer.echo(f"Account {name} removed.")


@keys_app.command("add")
def add_key(name: _KeyName, role: _KeyRole = "analyst", owner: _Owner = "admin") -> None:
    """Create an API key and print it. It is printed only this once: the store keeps its digest alone.

    Example:

        realframe keys add newsroom --role analyst
    """
    from realframe.settings import get_settings
    from realframe.store import api_keys
    from realframe.store.repository import open_store

    checked_role = _parse_role(role)
    with open_store(get_settings()) as store:
        key = api_keys.add_key(store, name, checked_role, owner)
    typer.echo("The key is printed only this once. Send it as `Authorization: Bearer KEY`.", err=True)
    typer.echo(key)


@keys_app.command("list")
def list_keys() -> None:
    """List the keys: name, role, owner and last characters.

    Example:

        realframe keys list
    """
    from realframe.settings import get_settings
    from realframe.store import api_keys
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        for key in api_keys.list_keys(store):
            typer.echo(f"{key.name}: {key.role}, for {key.owner}, since {key.created[:10]}, ends with {key.suffix}")


@keys_app.command("remove")
def remove_key(name: _KeyName) -> None:
    """Remove a key. Requests with it are refused from then on.

    Example:

        realframe keys remove newsroom
    """
    from realframe.settings import get_settings
    from realframe.store import api_keys
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        api_keys.remove_key(store, name)
    typer.echo(f"API key {name} removed.")


def _parse_role(role: str) -> "Role":
    from realframe.store import accounts

    if role not in accounts.ROLES:
        raise typer.BadParameter(f"choose one of {', '.join(accounts.ROLES)}", param_hint="--role")
    return role
