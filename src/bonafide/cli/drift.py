"""The command ``bonafide drift``."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bonafide.drift.watch import Watch
    from bonafide.metadata.added import DriftWindow, Measure

_BARS = "▁▂▃▄▅▆▇█"
_NAMES = {"score_psi": "scores, PSI", "score_ks": "scores, KS", "feature_mmd": "features, MMD"}


def drift(
    json: Annotated[bool, typer.Option("--json", help="the windows, as JSON")] = False,
) -> None:
    """Say whether the champion is shown something else than it was trained and validated on.

    What `bonafide detect` has stored is cut into windows, each compared with the champion's reference. The rules stand in
    `mlflow/drift.yaml`. Exit status: 0 no drift, or too little to tell; 1 a drift.

    Example:

        bonafide drift
    """
    from bonafide.drift.champion import watch_champion
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

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


def _show(seen: "Watch") -> None:
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
