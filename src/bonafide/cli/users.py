"""The commands ``bonafide users ...``: who may decide on a model version with a password of their own."""

from typing import Annotated

import typer

app = typer.Typer(help="Accounts of reviewers, in the metadata store.", no_args_is_help=True, rich_markup_mode="markdown")

_Password = Annotated[
    str, typer.Option(envvar="BONAFIDE_PASSWORD", prompt=True, hide_input=True, confirmation_prompt=True, help="asked for if not given")
]
_Name = Annotated[str, typer.Argument(help="as it stands in the ledger", show_default=False)]


@app.command()
def add(name: _Name, password: _Password, role: Annotated[str, typer.Option(help="reviewer, admin or analyst")] = "reviewer") -> None:
    """Make an account. A reviewer or an admin may decide, an analyst may look.

    Example:

        bonafide users add ada --role reviewer
    """
    from bonafide.metadata import accounts
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    if role not in accounts.ROLES:
        raise typer.BadParameter(f"choose one of {', '.join(accounts.ROLES)}", param_hint="--role")
    with open_store(get_settings()) as store:
        accounts.add(store, name, role, password)
    typer.echo(f"{name}: {role}")


@app.command("list")
def list_accounts() -> None:
    """List the accounts and their roles.

    Example:

        bonafide users list
    """
    from bonafide.metadata import accounts
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        for account in accounts.everyone(store):
            typer.echo(f"{account.name}: {account.role}, since {account.created[:10]}")


@app.command()
def passwd(name: _Name, password: _Password) -> None:
    """Give an account a new password.

    Example:

        bonafide users passwd ada
    """
    from bonafide.metadata import accounts
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        accounts.set_password(store, name, password)
    typer.echo(f"{name}: a new password is set")


@app.command()
def remove(name: _Name) -> None:
    """Take an account away. What it decided stays in the ledger.

    Example:

        bonafide users remove ada
    """
    from bonafide.metadata import accounts
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        accounts.remove(store, name)
    typer.echo(f"{name}: removed")
