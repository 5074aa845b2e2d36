"""The command ``bonafide detect``."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from bonafide.detection.detection import Detection

_Paths = Annotated[list[Path], typer.Argument(help="videos, images, and folders of them", show_default=False, exists=True)]
_Json = Annotated[bool, typer.Option("--json", help="print JSON and nothing else on standard output: one list, one entry per file")]
_Model = Annotated[
    str, typer.Option("--model", metavar="VERSION|ALIAS|FOLDER", help="a version's number, an alias, or a folder in which a run ended")
]
_Store = Annotated[bool, typer.Option("--store/--no-store", help="keep what was said, for `bonafide drift`: never the file itself")]
_COLOURS = {"real": "green", "ai-generated": "red", "uncertain": "magenta", "not scored": "yellow"}


def detect(paths: _Paths, as_json: _Json = False, model: _Model = "champion", store: _Store = True) -> None:
    """Say of files whether they are real or AI-generated, by the detector that a reviewer has approved.

    The probability is that of AI-generated, calibrated. Below the detector's band the verdict is `real`, above it `ai-generated`, within
    it `uncertain`; the title says how many of these verdicts may be wrong. A file that can't be scored says why. Exit status: 0 all were
    scored, 1 something was not, 2 wrong usage.

    Examples:
        bonafide detect clip.mp4

        bonafide detect ~/inbox photo.jpg

        bonafide detect --json clips/ | jq '.[] | select(.verdict == "ai-generated") | .path'

        bonafide detect --model challenger clip.mp4
    """
    from bonafide.detection.files import files_in

    files = files_in(paths)
    if not files:
        raise typer.BadParameter("there is no media file in what you named", param_hint="PATHS")
    detections = _detect_all(files, model)
    _print_json(detections) if as_json else _print_table(detections)
    if store and detections[0].model.isdecimal():
        _store(detections)
    raise typer.Exit(any(detection.verdict == "not scored" for detection in detections))


def _detect_all(files: list[Path], model: str) -> list["Detection"]:
    from rich.console import Console
    from rich.progress import Progress

    with _silence() as terminal, Progress(console=Console(file=terminal), transient=True) as progress:
        loading = progress.add_task("loading the detector", total=None)
        from bonafide.detection.detector import Detector

        detector = Detector.load(model)
        progress.remove_task(loading)
        return [detector.detect(file) for file in progress.track(files, description="detecting")]


def _store(detections: list["Detection"]) -> None:
    """Keep what was said; that it can't be kept takes nobody's answer away."""
    from bonafide.detection.predictions import keep
    from bonafide.errors import MetadataError
    from bonafide.metadata.store import open_store
    from bonafide.settings import get_settings

    try:
        with open_store(get_settings()) as store:
            keep(store, detections)
    except MetadataError as error:
        typer.secho(f"The answers above were not stored: {error}", fg=typer.colors.YELLOW, err=True)


@contextmanager
def _silence() -> Iterator[TextIO]:
    """Let nothing that TensorFlow's and CUDA's C++ says reach standard error, and yield a stream that still does."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere, os.fdopen(kept, "w") as terminal:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield terminal
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)


def _print_json(detections: list["Detection"]) -> None:
    import json

    typer.echo(json.dumps([detection.as_dict() for detection in detections], indent=2, ensure_ascii=False))


def _print_table(detections: list["Detection"]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    first = detections[0]
    band = first.band
    title = f"detector {first.model}: uncertain from {band.low:.2f} to {band.high:.2f}; else wrong for at most {band.error:.0%} of a class"
    table = Table(Column("file", overflow="fold"), "verdict", "probability of AI", "frames", "seconds", title=title)
    for detection in detections:
        probability = "" if detection.probability is None else f"{detection.probability:.3f}"
        verdict = f"[{_COLOURS[detection.verdict]}]{detection.verdict}[/]"
        seconds = f"{sum(detection.seconds.values()):.1f}"
        table.add_row(escape(detection.path), verdict, probability, str(detection.looked_at), seconds)
    console = Console()
    console.print(table)
    for detection in detections:
        if detection.code:
            console.print(f"[yellow]{detection.code}[/]: {escape(detection.message)}", soft_wrap=True)
