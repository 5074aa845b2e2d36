"""The commands ``bonafide keys ...``: with which programs may use the API."""

from typing import Annotated

import typer

app = typer.Typer(help="API keys of programs, in the metadata store.", no_args_is_help=True, rich_markup_mode="markdown")

_Name = Annotated[str, typer.Argument(help="by which you will know it", show_default=False)]
_Role = Annotated[str, typer.Option(help="analyst (its owner's own files), reviewer (all files) or admin; never more than its owner may")]
_Owner = Annotated[str, typer.Option(help="the account in whose name it acts; see `bonafide users list`")]


@app.command()
def add(name: _Name, role: _Role = "analyst", owner: _Owner = "admin") -> None:
    """Make a key and print it. It is shown this once: only its digest is kept.

    Example:

        bonafide keys add newsroom --role analyst
    """
    from bonafide.metadata import accounts, keys
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    if role not in accounts.ROLES:
        raise typer.BadParameter(f"choose one of {', '.join(accounts.ROLES)}", param_hint="--role")
    with open_store(get_settings()) as store:
        key = keys.add(store, name, role, owner)
    typer.echo("It is shown this once; use it as `Authorization: Bearer KEY`.", err=True)
    typer.echo(key)


@app.command("list")
def list_keys() -> None:
    """List the keys: their names, roles, owners, and how they end.

    Example:

        bonafide keys list
    """
    from bonafide.metadata import keys
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        for key in keys.everyone(store):
            typer.echo(f"{key.name}: {key.role}, for {key.owner}, since {key.created[:10]}, ends with {key.last}")


@app.command()
def remove(name: _Name) -> None:
    """Take a key away; whoever uses it is refused from then on.

    Example:

        bonafide keys remove newsroom
    """
    from bonafide.metadata import keys
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        keys.remove(store, name)
    typer.echo(f"{name}: removed")
