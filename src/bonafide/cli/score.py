"""The command ``bonafide score``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bonafide.scoring.gather import Summary
    from bonafide.scoring.plan import Plan

_STOPPED = 130  # what a shell says of a process that Ctrl-C ended


def score(
    source: Annotated[str, typer.Argument(help="a folder, or a bucket prefix such as s3://bucket/prefix", show_default=False)],
    model: Annotated[str, typer.Option(metavar="VERSION|ALIAS", help="a registered version of the detector")] = "champion",
    job: Annotated[str, typer.Option(help="a name for the job; by default made of the source", show_default=False)] = "",
) -> None:
    """Score every file of a folder or a bucket prefix, and write one table of verdicts: `.bonafide/scores/JOB/scores.parquet`.

    What `bonafide detect` is for some files, this is for many: it goes on where it was stopped, and started again it scores only what
    is new or has changed. Airflow's `score_media` does the same. Exit status: 0 all were scored, 1 something was not, 2 wrong usage.

    Examples:

        bonafide score ~/archive

        bonafide score s3://newsroom/2026 --model 3 --job newsroom
    """
    from bonafide.scoring.gather import gather
    from bonafide.scoring.plan import plan
    from bonafide.scoring.source import located
    from bonafide.settings import get_settings

    made = plan(located(source, Path.cwd()), get_settings(), version=model, name=job)
    typer.echo(f"{made.files} files, {made.files - made.todo} of them scored before by version {made.model}; job {made.job.name}")
    _score(made)
    summary = gather(made.job)
    _print(summary)
    raise typer.Exit("not scored" in summary.verdicts)


def _score(made: "Plan") -> None:
    from rich.progress import Progress

    from bonafide.runs.output import sieved_errors
    from bonafide.settings import get_settings

    if not made.todo:
        return
    try:
        with sieved_errors(), Progress(transient=True) as progress:
            bar = progress.add_task("loading the detector", total=made.todo)
            from bonafide.scoring.shard import score_parts

            score_parts(made.job, made.parts, get_settings(), lambda: progress.update(bar, advance=1, description="scoring"))
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it stopped.", err=True)
        raise typer.Exit(_STOPPED) from None


def _print(summary: "Summary") -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("verdict", "files", title=f"{summary.files} files by version {summary.model}")
    for verdict, count in summary.verdicts.items():
        table.add_row(verdict, str(count))
    for code, count in summary.reasons.items():
        table.add_row(f"  {code}", str(count), style="yellow")
    console = Console()
    console.print(table)
    console.print(summary.table, soft_wrap=True, highlight=False, markup=False)
