"""The command ``bonafide detect``."""

from pathlib import Path
from typing import Annotated

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
_Store = Annotated[bool, typer.Option("--store/--no-store", help="keep what was said, for `bonafide drift`: never the file itself")]
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

        bonafide detect clip.mp4

        bonafide detect ~/inbox photo.jpg "clips/**/*.mp4"

        bonafide detect --csv verdicts.csv --html report.html ~/inbox

        bonafide detect --frames clip.mp4

        bonafide detect --json clips/ | jq '.[] | select(.verdict == "ai-generated") | .file'

        find / -name '*.mp4' -print0 | bonafide detect -

        bonafide detect --model challenger clip.mp4
    """
    from bonafide.cli.detecting import STOPPED, Wanted, run

    if as_json and csv == "-":
        raise typer.BadParameter("--json and --csv - both want standard output; name a file for one", param_hint="--csv")
    if csv not in ("", "-") and Path(csv).is_dir():
        raise typer.BadParameter(f"{csv} is a folder", param_hint="--csv")
    try:
        status = run(_files(paths), Wanted(as_json, csv, html, frames, model, store, anew))
    except KeyboardInterrupt:  # before the first file
        typer.echo("Stopped before the first file.", err=True)
        status = STOPPED
    raise typer.Exit(status)


def _files(names: list[str]) -> list[Path]:
    """Return the files that are meant; what is not there is wrong usage, unless a list on standard input names it."""
    from bonafide.detection.files import files_in, listed, meant

    found: list[Path] = []
    for name in names:
        try:
            found += listed(typer.get_binary_stream("stdin").read()) if name == "-" else meant(name)
        except FileNotFoundError as error:
            raise typer.BadParameter(f"there is no {name}", param_hint="PATH") from error
    if not (files := files_in(found)):
        raise typer.BadParameter("there is no media file in what you named", param_hint="PATH")
    return files
