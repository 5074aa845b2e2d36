"""What ``realframe detect`` does: the files one after the other, each answer written as it comes."""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from realframe.cli.detect_output import MOST, CsvSheet, JsonSheet, PageSheet, Sheet, StoreSheet, TableSheet
from realframe.detection.batch import BatchDetector, BatchItem
from realframe.settings import get_settings

STOPPED = 130
"""Exit status of a command that Ctrl-C stopped: 128 + SIGINT."""


@dataclass(frozen=True)
class DetectOptions:
    """What the command line asks for, as its options."""

    as_json: bool
    csv: str
    html: Path | None
    frames: bool
    model: str
    store: bool
    anew: bool

    @property
    def for_people(self) -> bool:
        """Standard output is the table."""
        return not self.as_json and self.csv != "-"


@dataclass
class DetectSummary:
    """What was done.

    Attributes:
        total: how many files there are.
        verdicts: how many of them got each.
        kept: how many answers were there before.
        stopped: somebody pressed Ctrl-C.
    """

    total: int
    verdicts: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    stopped: bool = False

    def add(self, given: BatchItem) -> None:
        """Count an answer."""
        self.verdicts[given.answer.detection.verdict] += 1
        self.kept += given.kept

    @property
    def status(self) -> int:
        """The exit status."""
        return STOPPED if self.stopped else int(self.verdicts["not scored"] > 0)

    def words(self) -> str:
        """Return it as a line for people."""
        shares = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(self.verdicts.items()))
        before = f" ({self.kept:,} answered before)" if self.kept else ""
        return f"{self.verdicts.total():,} files: {shares}{before}"


def run(files: Sequence[Path], wanted: DetectOptions) -> int:
    """Answer of the files; return the exit status."""
    done, settings = DetectSummary(len(files)), get_settings()
    store = StoreSheet(settings)
    with tempfile.TemporaryDirectory() as workspace, _silence() as terminal, _bar(wanted, terminal) as bar:
        task = bar.add_task("loading the detector", total=len(files))
        answering = BatchDetector(wanted.model, settings, Path(workspace))
        sheets = [*_sheets(wanted, answering, bar, len(files)), *([store] if wanted.store and answering.registered else [])]
        with ExitStack() as stack:
            for sheet in sheets:
                stack.enter_context(sheet)
            try:
                for given in answering.each(files, pictures=wanted.html is not None and len(files) <= MOST, anew=wanted.anew):
                    _write(given, sheets)
                    done.add(given)
                    bar.update(task, advance=1, description="detecting")
            except KeyboardInterrupt:
                done.stopped = True
                _end_decoders()
    _say(done, wanted, answering, store)
    return done.status


def _sheets(wanted: DetectOptions, answering: BatchDetector, bar: Progress, total: int) -> Iterator[Sheet]:
    if wanted.as_json:
        yield JsonSheet()
    if wanted.for_people:
        yield TableSheet(bar.console if bar.console.file is sys.stdout else Console(), wanted.frames)
    if wanted.csv:
        yield CsvSheet(wanted.csv, wanted.frames)
    if wanted.html:
        yield PageSheet(wanted.html, answering, bar, total)


def _write(given: BatchItem, sheets: Sequence[Sheet]) -> None:
    for sheet in sheets:
        sheet.add(given)


def _bar(wanted: DetectOptions, terminal: TextIO) -> Progress:
    """Return the progress bar: below the table where both are seen, and nowhere amid what a program is to read."""
    console, parts = Console(), (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shared = wanted.for_people and console.is_terminal
    hidden = sys.stdout.isatty() and not wanted.for_people
    below = console if shared else Console(file=terminal)
    return Progress(*parts, console=below, transient=True, disable=hidden, redirect_stdout=False, redirect_stderr=False)


def _say(done: DetectSummary, wanted: DetectOptions, answering: BatchDetector, store: StoreSheet) -> None:
    """Say what else a person should know, where no program reads it."""
    if wanted.for_people and done.verdicts and done.total > 1:
        typer.echo(done.words())
    if wanted.html and done.verdicts:
        typer.echo(f"report: {wanted.html}", err=True)
    if done.stopped:
        again = "; the same command goes on from there" if answering.registered and not wanted.anew else ""
        typer.echo(f"Stopped: {done.verdicts.total():,} of {done.total:,} done{again}.", err=True)
    if answering.unkept:
        typer.secho(f"The answers could not be kept for the next time: {answering.unkept}", fg=typer.colors.YELLOW, err=True)
    if store.fault:
        typer.secho(f"The answers above were not stored: {store.fault}", fg=typer.colors.YELLOW, err=True)


def _end_decoders() -> None:
    """End what still decodes files of which nobody will hear."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("ffmpeg"):
                child.kill()


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
