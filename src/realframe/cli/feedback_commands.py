"""The commands ``feedback``, ``regression`` and ``drift``: corrections of verdicts, and a check of new files against the training data."""

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from realframe.drift.drift_watch import DriftStatus
    from realframe.store.user_documents import DriftMeasure, DriftWindow

_BARS = "▁▂▃▄▅▆▇█"
_MEASURE_NAMES = {"score_psi": "scores, PSI", "score_ks": "scores, KS", "feature_mmd": "features, MMD"}
_STATE_COLORS = {"waiting": "white", "agreed": "green", "disputed": "yellow", "accepted": "blue"}

feedback_app = typer.Typer(
    help="Correct the detector: label a file whose verdict was wrong.", no_args_is_help=True, rich_markup_mode="markdown"
)
regression_app = typer.Typer(
    help="Manage the regression set: files that every later model is scored on.", no_args_is_help=True, rich_markup_mode="markdown"
)

_File = Annotated[Path, typer.Argument(help="an image or a video", exists=True, dir_okay=False, show_default=False)]
_Label = Annotated[Literal["real", "fake"], typer.Option(help="label of the file; `fake` is AI-generated", show_default=False)]
_Reason = Annotated[str, typer.Option("--reason", "-m", help="how you know", show_default=False)]
_Person = Annotated[str, typer.Option("--user", help="who labels it; default: your login name", show_default=False)]


@feedback_app.command("add")
def add_label(file: _File, label: _Label, reason: _Reason, user: _Person = "") -> None:
    """Label a file. When two people agree and nobody disagrees, the file joins the next dataset version and the regression set.

    A copy of the file is stored. Every later model is scored on the regression set. A second label by the same person replaces the first.

    Examples:

        realframe feedback add holiday.mp4 --label real -m "I shot it myself"

        realframe feedback add ad.jpg --label fake --user anna -m "the studio confirmed it"
    """
    from realframe.feedback.feedback_labels import add_vote
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        case = add_vote(store, settings.feedback_dir, file, label, reason, user or getpass.getuser())
    typer.echo(f"{case.media_id[:12]} {case.state}: " + ", ".join(f"{vote.label} ({vote.person})" for vote in case.votes))


@feedback_app.command("list")
def list_cases() -> None:
    """List the labeled files, the labels and whether people agree.

    Example:

        realframe feedback list
    """
    from rich.console import Console
    from rich.text import Text

    from realframe.feedback.feedback_labels import list_cases
    from realframe.presentation.terminal_table import make_table
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        label_cases = list_cases(store)
    rows = [
        (
            case.media_id[:12],
            case.votes[-1].file,
            Text(case.state, _STATE_COLORS[case.state]),
            "\n".join(f"{vote.label}: {vote.person}, {vote.reason}" for vote in case.votes),
        )
        for case in label_cases
    ]
    hint = "There are no labels yet. Add one: realframe feedback add FILE --label real -m REASON"
    Console().print(make_table(("media", "file", "state", "labels"), rows, has_lines=False) if rows else hint)


@regression_app.command("add")
def add_regression_item(
    file: _File,
    label: _Label,
    reason: Annotated[str, typer.Option("--reason", "-m", help="why the file is in the set", show_default=False)],
    user: Annotated[str, typer.Option(help="who adds it; default: your login name", show_default=False)] = "",
) -> None:
    """Add a file to the regression set. Every later model is scored on it. It stays in the set permanently.

    Example:

        realframe regression add holiday.mp4 --label real -m "version 2 called it AI-generated"
    """
    from realframe.feedback import accepted_items
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        item = accepted_items.add_regression_item(store, settings.regression_dir, file, label, reason, user or getpass.getuser())
    typer.echo(f"{item.media_id[:12]} {item.label}: in the regression set since {item.created} ({item.added_by}: {item.reason})")


@regression_app.command("list")
def list_items() -> None:
    """List the regression set: the files, who added them, and why.

    Example:

        realframe regression list
    """
    from rich.console import Console

    from realframe.feedback import accepted_items
    from realframe.presentation.terminal_table import make_table
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    with open_store(get_settings()) as store:
        items = accepted_items.list_regression_items(store)
    rows = [(item.media_id[:12], item.label, item.file, item.added_by, item.reason, item.created[:10]) for item in items]
    hint = "The regression set is empty. Add a file: realframe regression add FILE --label real -m REASON"
    Console().print(make_table(("media", "label", "file", "by", "reason", "since"), rows, has_lines=False) if rows else hint)


def drift(
    json: Annotated[bool, typer.Option("--json", help="print the windows as JSON")] = False,
) -> None:
    """Check whether recent files differ from the data that the champion was trained and validated on.

    The stored predictions of `realframe detect` are cut into windows, and each is compared with the reference of the champion. The rules
    are in `mlflow/drift.yaml`. Exit status: 0 no drift, or too few files to tell; 1 drift.

    Example:

        realframe drift
    """
    from realframe.drift.drift_watch import watch_champion
    from realframe.settings import get_settings
    from realframe.store.repository import open_store

    settings = get_settings()
    with open_store(settings) as store:
        status, rules = watch_champion(store, settings)
    if json:
        typer.echo("[" + ",\n".join(window.model_dump_json() for window in status.windows) + "]")
    else:
        _print_drift(status)
        drifting = sum(window.is_drifting for window in status.windows)
        outcome = "drift" if status.has_drifted else "no drift"
        rule = f"{rules.min_drifting_windows} of {rules.recent_windows} count as drift"
        typer.echo(f"{outcome}: {drifting} of the last {len(status.windows)} windows drift; {rule}")
        if status.has_drifted:
            typer.echo(f"{rules.next_step}.")
    raise typer.Exit(status.has_drifted)


def _print_drift(status: "DriftStatus") -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table

    columns = [Column(name, no_wrap=True) for name in ("until", "files", *_MEASURE_NAMES.values(), "")]
    table = Table(*columns, title=f"files scored by version {status.model}", box=SIMPLE)
    for window in status.windows:
        cells = [_cell(measure) for measure in window.measures]
        table.add_row(window.end[5:16].replace("T", " "), str(window.items), *cells, "[red]drifts[/]" if window.is_drifting else "")
    console = Console()
    console.print(table)
    for index, name in enumerate(_MEASURE_NAMES.values()):
        console.print(f"{name:>14} {_sparkline(status.windows, index)}")
    console.print(f"{status.pending} files are in the next window, which is not full yet")


def _cell(measure: "DriftMeasure") -> str:
    text = f"{measure.value:.3f} (p {measure.p_value:.3f})"
    return f"[red]{text}[/]" if measure.exceeds_limit else text


def _sparkline(windows: "Sequence[DriftWindow]", measure: int) -> str:
    """Return one bar per window; the highest value is a full bar."""
    values = [max(window.measures[measure].value, 0.0) for window in windows]
    highest = max(values, default=0.0) or 1.0
    return "".join(_BARS[round(value / highest * (len(_BARS) - 1))] for value in values)
