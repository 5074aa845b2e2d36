"""The command ``bonafide compare-recipes``."""

from pathlib import Path
from typing import Annotated

import typer

_SET = typer.Option("-S", "--set", metavar="KEY=VALUE", help="set a parameter of all runs, such as `train.phase1.epochs=3`")
PUBLISHED = ("efficientnetb0", "efficientnetb3-lstm", "inceptionv3-rnn", "mobilenetv2-rnn", "lstm", "efficientnetv2b0-bilstm")


def compare_recipes(
    recipes: Annotated[list[str] | None, typer.Argument(help=f"their names; default: {', '.join(PUBLISHED)}", show_default=False)] = None,
    settings: Annotated[list[str] | None, _SET] = None,
    random_where_missing: Annotated[
        bool, typer.Option("--random-where-missing", help="begin with random weights where ImageNet's can't be had, and say so")
    ] = False,
    clips: Annotated[int, typer.Option(help="test clips that each model scores in a fresh process, for time and identity", min=1)] = 8,
    output: Annotated[Path | None, typer.Option(help="also put the table into this Markdown page")] = None,
) -> None:
    """Train several recipes on the videos of the newest dataset version, on the same split, and lay their figures side by side.

    Each is a run like any other: committed, logged, registered. The table goes to MLflow too.

    Examples:

        bonafide compare-recipes

        bonafide compare-recipes lstm mobilenetv2-rnn -S train.phase1.epochs=5

        bonafide compare-recipes --random-where-missing --output docs/results.md
    """
    from bonafide.params import read_settings
    from bonafide.runs.compare import compare, log_table
    from bonafide.runs.compare_table import markdown, put_into
    from bonafide.settings import get_settings

    names = recipes or list(PUBLISHED)
    compared = compare(names, get_settings(), read_settings(settings or []), random_where_missing=random_where_missing, clips=clips)
    text = markdown(compared)
    typer.echo(text)
    if output:
        put_into(output, text)
    typer.echo(f"\nlogged to MLflow as run {log_table(compared, text)}")
