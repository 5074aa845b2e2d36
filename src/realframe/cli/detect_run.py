"""Run ``realframe detect``: list the files to score, score one after the other, and write each result as it comes.

The command line takes files, folders, glob patterns and path lists.
"""

import glob
import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psutil
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from realframe.cli.detect_output import (
    MAX_SECTIONS,
    CsvWriter,
    HeatmapWriter,
    HtmlReportWriter,
    JsonWriter,
    PredictionWriter,
    ResultWriter,
    TableWriter,
)
from realframe.data.folder_listing import list_files
from realframe.detection.batch import BatchDetector
from realframe.detection.result import BatchFile, BatchItem
from realframe.logs import silence_stderr
from realframe.presentation.wording import VERDICT_NAMES

STOPPED = 130
"""Exit status of a command that Ctrl-C stopped: 128 + SIGINT."""
_GLOB_CHARACTERS = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class DetectOptions:
    """The options of the command line."""

    as_json: bool
    csv: str
    html: Path | None
    includes_frames: bool
    no_cache: bool
    heatmaps: Path | None = None

    @property
    def prints_table(self) -> bool:
        """Standard output is the table for people."""
        return not self.as_json and self.csv != "-"


@dataclass
class DetectSummary:
    """The outcome of a run.

    Attributes:
        total: files to score.
        verdicts: files with each verdict.
        cached: files whose result was in the cache.
        is_stopped: Ctrl-C stopped the run.
    """

    total: int
    verdicts: Counter[str] = field(default_factory=Counter)
    cached_count: int = 0
    is_stopped: bool = False

    def add(self, item: BatchItem) -> None:
        """Count a file."""
        self.verdicts[item.result.detection.verdict] += 1
        self.cached_count += item.is_cached

    @property
    def exit_status(self) -> int:
        """The exit status of the command."""
        return STOPPED if self.is_stopped else int(self.verdicts["not scored"] > 0)

    def __str__(self) -> str:
        verdicts = ", ".join(f"{count:,} {VERDICT_NAMES[verdict]}" for verdict, count in sorted(self.verdicts.items()))
        cached = f" ({self.cached_count:,} scored before)" if self.cached_count else ""
        return f"{self.verdicts.total():,} files: {verdicts}{cached}"


def detect_files(
    files: Sequence[Path],
    options: DetectOptions,
    open_detector: Callable[[Path, bool], BatchDetector],
    predictions: PredictionWriter | None = None,
) -> int:
    """Score files and write their results; return the exit status.

    Args:
        files: to score.
        options: of the command line.
        open_detector: returns the detector; it may put temporary files into the folder that it is given, and is told whether there is
            only one file, whose stability is measured.
        predictions: stores the results of a registered version; None to store none.
    """
    summary = DetectSummary(len(files))
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as workspace, silence_stderr() as terminal, _progress_bar(options, terminal) as bar:
        task = bar.add_task("loading the detector", total=len(files))
        detector = open_detector(Path(workspace), len(files) == 1)
        writers = list(_create_writers(options, detector, bar, len(files)))
        writers += [predictions] if predictions and detector.is_registered else []
        with ExitStack() as stack:
            for writer in writers:
                stack.enter_context(writer)
            try:
                with_sprites = options.heatmaps is not None or (options.html is not None and len(files) <= MAX_SECTIONS)
                batch_files = [BatchFile.from_path(file) for file in files]
                for item in detector.score_files(batch_files, with_sprites=with_sprites, use_cache=not options.no_cache):
                    for writer in writers:
                        writer.add(item)
                    summary.add(item)
                    bar.update(task, advance=1, description="detecting")
            except KeyboardInterrupt:
                summary.is_stopped = True
                _kill_decoders()
    _print_summary(summary, options, detector, predictions)
    return summary.exit_status


def _create_writers(options: DetectOptions, detector: BatchDetector, bar: Progress, total: int) -> Iterator[ResultWriter]:
    if options.as_json:
        yield JsonWriter()
    if options.prints_table:
        yield TableWriter(bar.console if bar.console.file is sys.stdout else Console(), options.includes_frames)
    if options.csv:
        yield CsvWriter(options.csv, options.includes_frames)
    if options.html:
        yield HtmlReportWriter(options.html, detector, bar, total)
    if options.heatmaps:
        yield HeatmapWriter(options.heatmaps)


def _progress_bar(options: DetectOptions, terminal: TextIO) -> Progress:
    """Return the progress bar: below the table where both are on one terminal, and hidden where a program reads the terminal's output."""
    console, columns = Console(), (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    is_below_table = options.prints_table and console.is_terminal
    bar_console = console if is_below_table else Console(file=terminal)
    is_hidden = not bar_console.is_terminal or (sys.stdout.isatty() and not options.prints_table)
    return Progress(*columns, console=bar_console, transient=True, disable=is_hidden, redirect_stdout=False, redirect_stderr=False)


def _print_summary(summary: DetectSummary, options: DetectOptions, detector: BatchDetector, predictions: PredictionWriter | None) -> None:
    """Print the outcome for people, on standard error where a program reads standard output."""
    if options.prints_table and summary.verdicts and summary.total > 1:
        typer.echo(str(summary))
    if options.html and summary.verdicts:
        typer.echo(f"report: {options.html}", err=True)
    if options.heatmaps and summary.verdicts:
        typer.echo(f"heatmaps: {options.heatmaps}", err=True)
    if summary.is_stopped:
        hint = "; the same command continues from there" if detector.is_registered and not options.no_cache else ""
        typer.echo(f"Stopped: {summary.verdicts.total():,} of {summary.total:,} done{hint}.", err=True)
    if detector.storage_error:
        typer.secho(f"The results are not cached for the next run: {detector.storage_error}", fg=typer.colors.YELLOW, err=True)
    if predictions and predictions.error:
        typer.secho(f"The predictions were not stored: {predictions.error}", fg=typer.colors.YELLOW, err=True)


def _kill_decoders() -> None:
    """Kill the FFmpeg processes of files that are decoded ahead."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("ffmpeg"):
                child.kill()


def list_media_files(paths: Iterable[Path]) -> list[Path]:
    """Return each path once, in order; a folder is replaced by the possible media files below it.

    Hidden files and text files of a folder are left out. A file that is named itself is always returned.
    """
    files: dict[Path, None] = {}
    for path in paths:
        files |= dict.fromkeys([path / name for name in list_files(path).media] if path.is_dir() else [path])
    return list(files)


def expand_pattern(name: str) -> list[Path]:
    """Return the path ``name`` where it exists, else the paths that match it as a glob pattern such as ``**/*.mp4``.

    Raises:
        FileNotFoundError: the path does not exist and no path matches.
    """
    if os.path.lexists(name):
        return [Path(name)]
    matches = sorted(glob.glob(name, recursive=True)) if _GLOB_CHARACTERS.search(name) else []  # noqa: PTH207 - Path.glob refuses absolute ones
    if not matches:
        raise FileNotFoundError(name)
    return [Path(path) for path in matches]


def parse_path_list(data: bytes) -> Iterator[Path]:
    """Yield the paths of a list: one per line, or each ended by a NUL as ``find -print0`` writes them."""
    separator = b"\0" if b"\0" in data else b"\n"
    for line in data.split(separator):
        name = line if separator == b"\0" else line.removesuffix(b"\r")
        if name:
            yield Path(os.fsdecode(name))
