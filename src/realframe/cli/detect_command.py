"""The command ``realframe detect``.

The command ``realframe score``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

_Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help='files, folders, patterns in quotes, or "-": a list on standard input', show_default=False),
]
_Json = Annotated[bool, typer.Option("--json", help="print JSON and nothing else on standard output: one list, one entry per file")]
_Csv = Annotated[
    str, typer.Option("--csv", metavar="FILE|-", help="write a table for a spreadsheet; - is standard output", show_default=False)
]
_Html = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="write a report with pictures, one file", dir_okay=False, writable=True, show_default=False
    ),
]
_Frames = Annotated[bool, typer.Option("--frames", help="a row for each frame that was looked at, in the table and the CSV")]
_Model = Annotated[
    str, typer.Option("--model", metavar="VERSION|ALIAS|FOLDER", help="a version's number, an alias, or a folder in which a run ended")
]
_Store = Annotated[bool, typer.Option("--store/--no-store", help="keep what was said, for `realframe drift`: never the file itself")]
_Anew = Annotated[bool, typer.Option("--anew", help="score files again of which this version's answer is kept")]


def detect(
    paths: _Paths,
    as_json: _Json = False,
    csv: _Csv = "",
    html: _Html = None,
    frames: _Frames = False,
    model: _Model = "champion",
    store: _Store = True,
    anew: _Anew = False,
) -> None:
    """Say of files whether they are real or AI-generated, by the detector that a reviewer has approved.

    The probability is that of AI-generated, calibrated, with its 95 % interval. Below the detector's band the verdict is `real`, above it
    `ai-generated`, within it `uncertain`; the title says how many of these verdicts may be wrong. A file that can't be scored says why.

    Answers are kept by the content of the file, so that a stopped job goes on where it was: give the same command again.

    Exit status: 0 all were scored, 1 something was not, 2 wrong usage, 130 stopped by Ctrl-C.

    Examples:

        realframe detect clip.mp4

        realframe detect ~/inbox photo.jpg "clips/**/*.mp4"

        realframe detect --csv verdicts.csv --html report.html ~/inbox

        realframe detect --frames clip.mp4

        realframe detect --json clips/ | jq '.[] | select(.verdict == "ai-generated") | .file'

        find / -name '*.mp4' -print0 | realframe detect -

        realframe detect --model challenger clip.mp4
    """
    from realframe.cli.detect_run import STOPPED, DetectOptions, run

    if as_json and csv == "-":
        raise typer.BadParameter("--json and --csv - both want standard output; name a file for one", param_hint="--csv")
    if csv not in ("", "-") and Path(csv).is_dir():
        raise typer.BadParameter(f"{csv} is a folder", param_hint="--csv")
    try:
        status = run(_files(paths), DetectOptions(as_json, csv, html, frames, model, store, anew))
    except KeyboardInterrupt:  # before the first file
        typer.echo("Stopped before the first file.", err=True)
        status = STOPPED
    raise typer.Exit(status)


def _files(names: list[str]) -> list[Path]:
    """Return the files that are meant; what is not there is wrong usage, unless a list on standard input names it."""
    from realframe.detection.batch import files_in, listed, meant

    found: list[Path] = []
    for name in names:
        try:
            found += listed(typer.get_binary_stream("stdin").read()) if name == "-" else meant(name)
        except FileNotFoundError as error:
            raise typer.BadParameter(f"there is no {name}", param_hint="PATH") from error
    if not (files := files_in(found)):
        raise typer.BadParameter("there is no media file in what you named", param_hint="PATH")
    return files


if TYPE_CHECKING:
    from realframe.scoring.scoring_plan import JobSummary, Plan

_STOPPED = 130  # what a shell says of a process that Ctrl-C ended


def score(
    source: Annotated[str, typer.Argument(help="a folder, or a bucket prefix such as s3://bucket/prefix", show_default=False)],
    model: Annotated[str, typer.Option(metavar="VERSION|ALIAS", help="a registered version of the detector")] = "champion",
    job: Annotated[str, typer.Option(help="a name for the job; by default made of the source", show_default=False)] = "",
) -> None:
    """Score every file of a folder or a bucket prefix, and write one table of verdicts: `.realframe/scores/JOB/scores.parquet`.

    What `realframe detect` is for some files, this is for many: it goes on where it was stopped, and started again it scores only what
    is new or has changed. Airflow's `score_media` does the same. Exit status: 0 all were scored, 1 something was not, 2 wrong usage.

    Examples:

        realframe score ~/archive

        realframe score s3://newsroom/2026 --model 3 --job newsroom
    """
    from realframe.scoring.file_source import located
    from realframe.scoring.scoring_plan import gather, plan
    from realframe.settings import get_settings

    made = plan(located(source, Path.cwd()), get_settings(), version=model, name=job)
    typer.echo(f"{made.files} files, {made.files - made.todo} of them scored before by version {made.model}; job {made.job.name}")
    _score(made)
    summary = gather(made.job)
    _print(summary)
    raise typer.Exit("not scored" in summary.verdicts)


def _score(made: "Plan") -> None:
    from rich.progress import Progress

    from realframe.runs.output_filter import filtered_errors
    from realframe.settings import get_settings

    if not made.todo:
        return
    try:
        with filtered_errors(), Progress(transient=True) as progress:
            bar = progress.add_task("loading the detector", total=made.todo)
            from realframe.scoring.score_shard import score_parts

            score_parts(made.job, made.parts, get_settings(), lambda: progress.update(bar, advance=1, description="scoring"))
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on where it stopped.", err=True)
        raise typer.Exit(_STOPPED) from None


def _print(summary: "JobSummary") -> None:
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
