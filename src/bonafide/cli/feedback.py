"""The commands ``bonafide feedback ...``."""

import getpass
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Say what a file is, where the detector was wrong.", no_args_is_help=True, rich_markup_mode="markdown")

_File = Annotated[Path, typer.Argument(help="an image or a video", exists=True, dir_okay=False, show_default=False)]
_Label = Annotated[Literal["real", "fake"], typer.Option(help="what it is: `fake` is AI-generated", show_default=False)]
_Why = Annotated[str, typer.Option("--why", "-m", help="how you know", show_default=False)]
_By = Annotated[str, typer.Option(help="who says so; default: your login name", show_default=False)]
_COLOURS = {"waits": "white", "agreed": "green", "disputed": "yellow", "taken in": "blue"}


@app.command()
def add(file: _File, label: _Label, why: _Why, by: _By = "") -> None:
    """Say what a file is. The file is kept; where two people agree and nobody says otherwise, the next dataset takes it in.

    It then also joins the regression set, on which every later model is scored. Saying it again replaces what you said before.

    Examples:

        bonafide feedback add holiday.mp4 --label real -m "I shot it myself"

        bonafide feedback add ad.jpg --label fake --by anna -m "the studio says so"
    """
    from bonafide.feedback.opinions import give
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    settings = get_settings()
    with open_store(settings) as store:
        case = give(store, settings.feedback_dir, file, label, why, by or getpass.getuser())
    typer.echo(f"{case.media_id[:12]} {case.state}: " + ", ".join(f"{opinion.label} ({opinion.by})" for opinion in case.said))


@app.command("list")
def list_cases() -> None:
    """List the files of which something is said, and where that stands.

    Example:

        bonafide feedback list
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from bonafide.feedback.opinions import cases
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    with open_store(get_settings()) as store:
        found = cases(store)
    table = Table("media", Column("file", overflow="fold"), "state", Column("said", overflow="fold"), box=SIMPLE)
    for case in found:
        said = "\n".join(f"{opinion.label}: {opinion.by}, {opinion.why}" for opinion in case.said)
        table.add_row(case.media_id[:12], escape(case.said[-1].file), f"[{_COLOURS[case.state]}]{case.state}[/]", escape(said))
    Console().print(table if found else "Nobody has said anything yet: bonafide feedback add FILE --label real -m WHY")
