"""The command ``realframe-detect`` of the distribution of that name: score files with an exported detector, without a registry."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from realframe.cli import run_command_line
from realframe.cli.detect_command import CsvOption, FramesOption, HeatmapsOption, HtmlOption, JsonOption, PathsArgument, detect_paths
from realframe.errors import SetupError

DISTRIBUTION = "realframe-detect"
app = typer.Typer(name=DISTRIBUTION, add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(version(DISTRIBUTION))
        raise typer.Exit


@app.command()
def detect(
    paths: PathsArgument,
    model: Annotated[
        str,
        typer.Option(metavar="FOLDER", help="folder that `realframe export` wrote, or that of a finished run"),
    ],
    as_json: JsonOption = False,
    csv: CsvOption = "",
    html: HtmlOption = None,
    heatmaps: HeatmapsOption = None,
    frames: FramesOption = False,
    _: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")] = False,
) -> None:
    """Score files with an exported detector: real, AI-generated or uncertain. Nothing is stored.

    Exit status: 0 all files were scored, 1 a file was not scored, 2 wrong usage, 130 stopped by Ctrl-C.

    Examples:

        realframe-detect --model detector/ clip.mp4

        realframe-detect --model detector/ --csv verdicts.csv photos/
    """
    from realframe.detection.batch import BatchDetector
    from realframe.settings import count_cores

    folder = Path(model)
    if not folder.is_dir():
        reason = "is not a folder, and realframe-detect has no model registry to look up versions and aliases"
        raise SetupError(model, reason, "Name a folder that `realframe export` wrote, or install realframe itself.")

    def open_detector(workspace: Path, is_single: bool) -> BatchDetector:
        return BatchDetector.open_folder(folder, workspace, count_cores(), measures_stability=is_single)

    raise typer.Exit(detect_paths(paths, as_json, csv, html, frames, True, open_detector, heatmaps=heatmaps))


def main() -> None:
    """Run the command line. An error of realframe is printed as one sentence, without a traceback."""
    run_command_line(app)
