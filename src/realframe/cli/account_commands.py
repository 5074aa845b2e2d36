"""The commands ``realframe keys ...``: with which programs may use the API.

The commands ``realframe users ...``: who may decide on a model version with a password of their own.
"""

from typing import Annotated

import typer

keys_app = typer.Typer(help="API keys of programs, in the metadata store.", no_args_is_help=True, rich_markup_mode="markdown")

_KeyName = Annotated[str, typer.Argument(help="by which you will know it", show_default=False)]
_Role = Annotated[str, typer.Option(help="analyst (its owner's own files), reviewer (all files) or admin; never more than its owner may")]
_Owner = Annotated[str, typer.Option(help="the account in whose name it acts; see `realframe users list`")]


@keys_app.command()
def add_key(name: _KeyName, role: _Role = "analyst", owner: _Owner = "admin") -> None:
    """Make a key and print it. It is shown this once: only its digest is kept.

    Example:

        realframe keys add newsroom --role analyst
    """
    from realframe.settings import get_settings
    from realframe.store import accounts, api_keys
    from realframe.store.repository import open_store

    if role not in accounts.ROLES:
        raise typer.BadParameter(f"choose one of {', '.join(accounts.ROLES)}", param_hint="--role")
    with open_store(get_settings()) as store:
        key = api_keys.add(store, name, role, owner)
    typer.echo("It is shown this once; use it as `Authorization: Bearer KEY`.", err=True)
    typer.echo(key)


@keys_app.command("list")
def list_keys() -> None:
    """List the keys: their names, roles, owners, and how they end.

    Example:

        realframe keys list
    """
    from realframe.settings import get_settings
    from realframe.store import api_keys
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        for key in api_keys.everyone(store):
            typer.echo(f"{key.name}: {key.role}, for {key.owner}, since {key.created[:10]}, ends with {key.last}")


@keys_app.command()
def remove_key(name: _KeyName) -> None:
    """Take a key away; whoever uses it is refused from then on.

    Example:

        realframe keys remove newsroom
    """
    from realframe.settings import get_settings
    from realframe.store import api_keys
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        api_keys.remove(store, name)
    typer.echo(f"{name}: removed")


users_app = typer.Typer(help="Accounts of reviewers, in the metadata store.", no_args_is_help=True, rich_markup_mode="markdown")

_Password = Annotated[
    str, typer.Option(envvar="REALFRAME_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True, help="asked for if not given")
]
_UserName = Annotated[str, typer.Argument(help="as it stands in the ledger", show_default=False)]


@users_app.command()
def add_user(
    name: _UserName, password: _Password, role: Annotated[str, typer.Option(help="reviewer, admin or analyst")] = "reviewer"
) -> None:
    """Make an account. A reviewer or an admin may decide, an analyst may look.

    Example:

        realframe users add ada --role reviewer
    """
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    if role not in accounts.ROLES:
        raise typer.BadParameter(f"choose one of {', '.join(accounts.ROLES)}", param_hint="--role")
    with open_store(get_settings()) as store:
        accounts.add(store, name, role, password)
    typer.echo(f"{name}: {role}")


@users_app.command("list")
def list_accounts() -> None:
    """List the accounts and their roles.

    Example:

        realframe users list
    """
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        for account in accounts.everyone(store):
            typer.echo(f"{account.name}: {account.role}, since {account.created[:10]}")


@users_app.command()
def passwd(name: _UserName, password: _Password) -> None:
    """Give an account a new password.

    Example:

        realframe users passwd ada
    """
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        accounts.set_password(store, name, password)
    typer.echo(f"{name}: a new password is set")


@users_app.command()
def remove_user(name: _UserName) -> None:
    """Take an account away. What it decided stays in the ledger.

    Example:

        realframe users remove ada
    """
    from realframe.settings import get_settings
    from realframe.store import accounts
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        accounts.remove(store, name)
    typer.echo(f"{name}: removed")
