"""The commands ``realframe feedback ...``.

The commands ``realframe regression ...``.

The command ``realframe drift``.
"""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

feedback_app = typer.Typer(help="Say what a file is, where the detector was wrong.", no_args_is_help=True, rich_markup_mode="markdown")

_File = Annotated[Path, typer.Argument(help="an image or a video", exists=True, dir_okay=False, show_default=False)]
_Label = Annotated[Literal["real", "fake"], typer.Option(help="what it is: `fake` is AI-generated", show_default=False)]
_Why = Annotated[str, typer.Option("--why", "-m", help="how you know", show_default=False)]
_By = Annotated[str, typer.Option(help="who says so; default: your login name", show_default=False)]
_COLOURS = {"waits": "white", "agreed": "green", "disputed": "yellow", "taken in": "blue"}


@feedback_app.command()
def add_label(file: _File, label: _Label, why: _Why, by: _By = "") -> None:
    """Say what a file is. The file is kept; where two people agree and nobody says otherwise, the next dataset takes it in.

    It then also joins the regression set, on which every later model is scored. Saying it again replaces what you said before.

    Examples:

        realframe feedback add holiday.mp4 --label real -m "I shot it myself"

        realframe feedback add ad.jpg --label fake --by anna -m "the studio says so"
    """
    from realframe.feedback.feedback_labels import add_vote
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        case = add_vote(store, settings.feedback_dir, file, label, why, by or getpass.getuser())
    typer.echo(f"{case.media_id[:12]} {case.state}: " + ", ".join(f"{opinion.label} ({opinion.by})" for opinion in case.said))


@feedback_app.command("list")
def list_cases() -> None:
    """List the files of which something is said, and where that stands.

    Example:

        realframe feedback list
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from realframe.feedback.feedback_labels import cases
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        found = cases(store)
    table = Table("media", Column("file", overflow="fold"), "state", Column("said", overflow="fold"), box=SIMPLE)
    for case in found:
        said = "\n".join(f"{opinion.label}: {opinion.by}, {opinion.why}" for opinion in case.said)
        table.add_row(case.media_id[:12], escape(case.said[-1].file), f"[{_COLOURS[case.state]}]{case.state}[/]", escape(said))
    Console().print(table if found else "Nobody has said anything yet: realframe feedback add FILE --label real -m WHY")


regression_app = typer.Typer(help="The files that no model may get wrong again.", no_args_is_help=True, rich_markup_mode="markdown")


@regression_app.command()
def add_regression(
    file: Annotated[Path, typer.Argument(help="an image or a video", exists=True, dir_okay=False, show_default=False)],
    label: Annotated[Literal["real", "fake"], typer.Option(help="what it is: `fake` is AI-generated", show_default=False)],
    why: Annotated[str, typer.Option("--why", "-m", help="why it must be in", show_default=False)],
    by: Annotated[str, typer.Option(help="the reviewer; default: your login name", show_default=False)] = "",
) -> None:
    """Put a file into the regression set, as a reviewer. Every later model is scored on it; it stays in for ever.

    Example:

        realframe regression add holiday.mp4 --label real -m "version 2 called it AI-generated"
    """
    from realframe.feedback import accept
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        item = accept.add(store, settings.regression_dir, file, label, why, by or getpass.getuser())
    typer.echo(f"{item.media_id[:12]} {item.label}: in the regression set since {item.at} ({item.by}: {item.why})")


@regression_app.command("list")
def list_items() -> None:
    """List the regression set: what is in, by whom and why.

    Example:

        realframe regression list
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from realframe.feedback import accept
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        found = accept.items(store)
    table = Table("media", "label", Column("file", overflow="fold"), "by", Column("why", overflow="fold"), "since", box=SIMPLE)
    for item in found:
        table.add_row(item.media_id[:12], item.label, escape(item.file), escape(item.by), escape(item.why), item.at[:10])
    Console().print(table if found else "The set is empty: realframe regression add FILE --label real -m WHY")


if TYPE_CHECKING:
    from collections.abc import Sequence

    from realframe.drift.drift_watch import DriftWatch
    from realframe.store.user_documents import DriftWindow, Measure

_BARS = "▁▂▃▄▅▆▇█"
_NAMES = {"score_psi": "scores, PSI", "score_ks": "scores, KS", "feature_mmd": "features, MMD"}


def drift(
    json: Annotated[bool, typer.Option("--json", help="the windows, as JSON")] = False,
) -> None:
    """Say whether the champion is shown something else than it was trained and validated on.

    What `realframe detect` has stored is cut into windows, each compared with the champion's reference. The rules stand in
    `mlflow/drift.yaml`. Exit status: 0 no drift, or too little to tell; 1 a drift.

    Example:

        realframe drift
    """
    from realframe.drift.drift_watch import watch_champion
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        seen, rules = watch_champion(store, settings)
    if json:
        typer.echo("[" + ",\n".join(window.model_dump_json() for window in seen.windows) + "]")
    else:
        _show(seen)
        drifting = sum(window.drifting for window in seen.windows)
        said = "drift" if seen.drift else "no drift"
        typer.echo(f"{said}: {drifting} of the last {len(seen.windows)} windows drift; {rules.drifting} of {rules.last} make a drift")
    raise typer.Exit(seen.drift)


def _show(seen: "DriftWatch") -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table

    heads = [Column(head, no_wrap=True) for head in ("until", "files", *_NAMES.values(), "")]
    table = Table(*heads, title=f"what version {seen.model} is shown", box=SIMPLE)
    for window in seen.windows:
        cells = [_cell(measure) for measure in window.measures]
        table.add_row(window.ends[5:16].replace("T", " "), str(window.items), *cells, "[red]drifts[/]" if window.drifting else "")
    console = Console()
    console.print(table)
    for place, name in enumerate(_NAMES.values()):
        console.print(f"{name:>14} {_sparkline(seen.windows, place)}")
    console.print(f"{seen.waiting} files wait for the next window to be full")


def _cell(measure: "Measure") -> str:
    said = f"{measure.value:.3f} (p {measure.p:.3f})"
    return f"[red]{said}[/]" if measure.beyond else said


def _sparkline(windows: "Sequence[DriftWindow]", place: int) -> str:
    """One bar per window, the highest of them full."""
    values = [max(window.measures[place].value, 0.0) for window in windows]
    highest = max(values, default=0.0) or 1.0
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in values)
