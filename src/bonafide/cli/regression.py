"""The commands ``bonafide regression ...``."""

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="The files that no model may get wrong again.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="an image or a video", exists=True, dir_okay=False, show_default=False)],
    label: Annotated[Literal["real", "fake"], typer.Option(help="what it is: `fake` is AI-generated", show_default=False)],
    why: Annotated[str, typer.Option("--why", "-m", help="why it must be in", show_default=False)],
    by: Annotated[str, typer.Option(help="the reviewer; default: your login name", show_default=False)] = "",
) -> None:
    """Put a file into the regression set, as a reviewer. Every later model is scored on it; it stays in for ever.

    Example:

        bonafide regression add holiday.mp4 --label real -m "version 2 called it AI-generated"
    """
    from bonafide.feedback import regression
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    settings = get_settings()
    with open_store(settings) as store:
        item = regression.add(store, settings.regression_dir, file, label, why, by or getpass.getuser())
    typer.echo(f"{item.media_id[:12]} {item.label}: in the regression set since {item.at} ({item.by}: {item.why})")


@app.command("list")
def list_items() -> None:
    """List the regression set: what is in, by whom and why.

    Example:

        bonafide regression list
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from bonafide.feedback import regression
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        found = regression.items(store)
    table = Table("media", "label", Column("file", overflow="fold"), "by", Column("why", overflow="fold"), "since", box=SIMPLE)
    for item in found:
        table.add_row(item.media_id[:12], item.label, escape(item.file), escape(item.by), escape(item.why), item.at[:10])
    Console().print(table if found else "The set is empty: bonafide regression add FILE --label real -m WHY")
