"""The commands ``realframe detect`` and ``realframe score``: score some files now, or all files of a folder or a bucket as a job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from realframe.cli.detect_output import PredictionWriter
    from realframe.detection.batch import BatchDetector
    from realframe.scoring.scoring_steps import JobSummary, ScoringPlan

_STOPPED = 130  # exit status of a process that Ctrl-C ended: 128 + SIGINT

PathsArgument = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help='files, folders, quoted patterns, or "-" for a list on standard input', show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print one JSON list on standard output, with one object per file")]
CsvOption = Annotated[str, typer.Option("--csv", metavar="FILE|-", help="write a CSV; `-` is standard output", show_default=False)]
HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", help="write a report with pictures, as one HTML file", dir_okay=False, writable=True, show_default=False
    ),
]
HeatmapsOption = Annotated[
    Path | None,
    typer.Option(
        "--heatmaps",
        metavar="FOLDER",
        help="write the most suspicious frames with their Grad-CAM heatmaps into this folder, as PNG",
        file_okay=False,
        show_default=False,
    ),
]
FramesOption = Annotated[bool, typer.Option("--frames", help="add a row per frame to the table and the CSV")]
_Model = Annotated[
    str,
    typer.Option(
        "--model", metavar="VERSION|ALIAS|FOLDER", help="a version number, an alias, the folder of a finished run, or an exported folder"
    ),
]
_Store = Annotated[
    bool, typer.Option("--store/--no-store", help="store the predictions for `realframe drift`; the files themselves are never stored")
]
_NoCache = Annotated[bool, typer.Option("--no-cache", help="score files again that this version has scored before")]


def detect(
    paths: PathsArgument,
    as_json: JsonOption = False,
    csv: CsvOption = "",
    html: HtmlOption = None,
    heatmaps: HeatmapsOption = None,
    frames: FramesOption = False,
    model: _Model = "champion",
    store: _Store = True,
    no_cache: _NoCache = False,
) -> None:
    """Score files with the approved detector: real, AI-generated or uncertain.

    The probability of AI-generated is calibrated and has a 95 % interval. Below the detector's band the verdict is `real`, above it
    `ai-generated`, within it `uncertain`; the last lines state the error of these verdicts. On a kind of file on which the detector is not
    shown to be right often enough, every verdict is `uncertain`, without a probability, and the reason is below. For a file that cannot be
    scored, the table states the reason.

    Results are cached by the content of the file: run the same command again to continue after Ctrl-C.

    Exit status: 0 all files were scored, 1 a file was not scored, 2 wrong usage, 130 stopped by Ctrl-C.

    Examples:

        realframe detect clip.mp4

        realframe detect ~/inbox photo.jpg "clips/**/*.mp4"

        realframe detect --csv verdicts.csv --html report.html ~/inbox

        realframe detect --heatmaps pictures/ clip.mp4

        realframe detect --frames clip.mp4

        realframe detect --json clips/ | jq '.[] | select(.verdict == "ai-generated") | .file'

        find / -name '*.mp4' -print0 | realframe detect -

        realframe detect --model challenger clip.mp4
    """
    from realframe.cli.detect_output import PredictionWriter
    from realframe.detection.batch import BatchDetector
    from realframe.settings import get_settings

    settings = get_settings()
    predictions = PredictionWriter(settings) if store else None
    options = (as_json, csv, html, frames, no_cache)

    def open_detector(workspace: Path, is_single: bool) -> BatchDetector:
        return BatchDetector.open(model, settings, workspace, measures_stability=is_single)

    raise typer.Exit(detect_paths(paths, *options, open_detector, predictions, heatmaps))


def detect_paths(
    paths: list[str],
    as_json: bool,
    csv: str,
    html: Path | None,
    frames: bool,
    no_cache: bool,
    open_detector: "Callable[[Path, bool], BatchDetector]",
    predictions: "PredictionWriter | None" = None,
    heatmaps: Path | None = None,
) -> int:
    """Score the files of the arguments; return the exit status. Raises typer.BadParameter if the arguments are wrong."""
    from realframe.cli.detect_run import STOPPED, DetectOptions, detect_files

    if as_json and csv == "-":
        raise typer.BadParameter("--json and --csv - both write to standard output; name a file for the CSV", param_hint="--csv")
    if csv not in ("", "-") and Path(csv).is_dir():
        raise typer.BadParameter(f"{csv} is a folder", param_hint="--csv")
    try:
        options = DetectOptions(as_json, csv, html, frames, no_cache, heatmaps)
        return detect_files(_resolve_files(paths), options, open_detector, predictions)
    except KeyboardInterrupt:  # before the first file
        typer.echo("Stopped before the first file.", err=True)
        return STOPPED


def _resolve_files(names: list[str]) -> list[Path]:
    """Return the files of the arguments. A missing path is wrong usage, unless a list on standard input names it."""
    from realframe.cli.detect_run import expand_pattern, list_media_files, parse_path_list

    resolved: list[Path] = []
    for name in names:
        try:
            resolved += parse_path_list(typer.get_binary_stream("stdin").read()) if name == "-" else expand_pattern(name)
        except FileNotFoundError as error:
            raise typer.BadParameter(f"{name} does not exist", param_hint="PATH") from error
    if not (files := list_media_files(resolved)):
        raise typer.BadParameter("no media file found in these paths", param_hint="PATH")
    return files


def score(
    source: Annotated[str, typer.Argument(help="a folder, or a bucket prefix such as s3://bucket/prefix", show_default=False)],
    model: Annotated[str, typer.Option(metavar="VERSION|ALIAS", help="a registered version number or an alias")] = "champion",
    job: Annotated[str, typer.Option(help="name of the job; default: derived from the source", show_default=False)] = "",
) -> None:
    """Score all files of a folder or a bucket prefix, and write one table of verdicts: `.realframe/scores/JOB/scores.parquet`.

    This is `realframe detect` for many files. A job that was stopped continues; a job that is run again scores only new and changed files.
    Airflow's DAG `score_media` does the same. Exit status: 0 all files were scored, 1 a file was not scored, 2 wrong usage.

    Examples:

        realframe score ~/archive

        realframe score s3://newsroom/2026 --model 3 --job newsroom
    """
    from realframe.scoring.file_source import resolve_source
    from realframe.scoring.scoring_steps import gather_scores, plan_job
    from realframe.settings import get_settings

    plan = plan_job(resolve_source(source, Path.cwd()), get_settings(), version=model, name=job)
    scored_before = plan.file_count - plan.pending_count
    typer.echo(f"{plan.file_count} files, {scored_before} of them scored before by version {plan.model}; job {plan.job.name}")
    _score_pending(plan)
    summary = gather_scores(plan.job)
    _print_summary(summary)
    raise typer.Exit("not scored" in summary.verdicts)


def _score_pending(plan: "ScoringPlan") -> None:
    from rich.progress import Progress

    from realframe.settings import get_settings

    if not plan.pending_count:
        return
    try:
        with Progress(transient=True) as progress:
            bar = progress.add_task("loading the detector", total=plan.pending_count)
            from realframe.scoring.scoring_steps import score_shards

            score_shards(plan.job, plan.shards, get_settings(), lambda: progress.update(bar, advance=1, description="scoring"))
    except KeyboardInterrupt:
        typer.echo("Stopped. Run the same command again to continue.", err=True)
        raise typer.Exit(_STOPPED) from None


def _print_summary(summary: "JobSummary") -> None:
    from rich.console import Console
    from rich.table import Table

    from realframe.presentation.wording import SCOPE, VERDICT_NAMES

    table = Table("verdict", "files", title=f"{summary.files} files by version {summary.model}")
    for verdict, count in summary.verdicts.items():
        table.add_row(VERDICT_NAMES[verdict], str(count))
    for code, count in summary.reasons.items():
        table.add_row(f"  {code}", str(count), style="yellow")
    console = Console()
    console.print(table)
    console.print(SCOPE, soft_wrap=True, highlight=False, markup=False)
    console.print(summary.table, soft_wrap=True, highlight=False, markup=False)
