"""Write the results of ``realframe detect`` one by one: as a table, JSON, CSV, an HTML report or pictures, and into the metadata store."""

import csv
import heapq
import io
import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

import numpy as np
import typer
from PIL import Image
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from realframe.detection.batch import BatchDetector
from realframe.detection.result import BatchItem, DetectionResult
from realframe.errors import MetadataError
from realframe.files import atomic_path, write_text
from realframe.presentation.detection_view import DetectionView
from realframe.presentation.formatting import format_probability
from realframe.presentation.result_rows import COLUMNS, FRAME_COLUMNS, build_detection_row, escape_formulas, iter_frame_rows
from realframe.presentation.wording import (
    CHECK_NAMES,
    SCOPE,
    VERDICT_NAMES,
    describe_basis,
    describe_caution,
    describe_check,
    describe_interval,
    describe_rule,
    probability_to_show,
)
from realframe.provenance.origin import Provenance
from realframe.reports.detection_report import OverviewRow, render_detection_report
from realframe.settings import Settings
from realframe.store.detection_documents import Detection, FrameScore

MAX_SECTIONS = 100
"""Files with a section of their own in the HTML report; no browser opens a page with the pictures of thousands."""
_STORED_TOGETHER = 100  # predictions
_VERDICT_COLORS = {"real": "green", "ai-generated": "red", "uncertain": "magenta", "not scored": "yellow"}
_TABLE_HEADER = f"{'verdict':<13} {'probability of AI':<22} {'frames':>6} {'seconds':>8}  file"
_INDENT = 14 * " "
_UNSAFE_CHARACTERS = re.compile(r"[^\w.-]")
_MAX_NAME_LENGTH = 60  # of the part of a picture's name that comes from its file


class ResultWriter(Protocol):
    """Writes items one by one. When the context ends, also by Ctrl-C, what was added is complete."""

    def __enter__(self) -> Self: ...

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None: ...

    def add(self, item: BatchItem) -> None:
        """Write an item."""


class TableWriter:
    """Writes the table on standard output: a line for each file, below it what stands with its verdict, and at the end the rules.

    Below the line of a file are why there is no verdict, the cautions, the error, the origin and the checks of the file itself. At the end
    is by which rule each kind of file got its verdict.

    Args:
        console: of standard output.
        frames: add a line for each frame.
    """

    def __init__(self, console: Console, frames: bool) -> None:
        self._console, self._frames, self._has_header = console, frames, False
        self._rules: dict[str, None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        for rule in self._rules:
            self._print_line(rule, "dim")

    def add(self, item: BatchItem) -> None:
        """Write the lines of an item; before the first one, the header."""
        detection = item.result.detection
        if not self._has_header:
            self._has_header = True
            self._print_line(printable(f"detector {detection.model}"), "bold")
            self._print_line(SCOPE)
            self._print_line(_TABLE_HEADER, "dim")
        self._console.print(_format_row(detection), soft_wrap=True)
        for note, style in _format_notes(detection):
            self._print_line(f"{_INDENT}{note}", style)
        for frame in detection.frames if self._frames else ():
            self._print_line(f"{_INDENT}{_format_frame(frame)}")
        if rule := describe_rule(detection):
            self._rules[rule] = None

    def _print_line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style), soft_wrap=True)


class JsonWriter:
    """Writes one JSON list on standard output, a detection per line, with the words on the basis of its verdict and on its scope."""

    def __init__(self) -> None:
        self._separator = "["

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        if exc_type is None:
            typer.echo("[]" if self._separator == "[" else "\n]")

    def add(self, item: BatchItem) -> None:
        """Write a detection."""
        detection = item.result.detection
        words = {"basis": describe_basis(detection), "scope": SCOPE}
        typer.echo(f"{self._separator}\n{json.dumps(detection.model_dump(mode='json') | words, ensure_ascii=False)}", nl=False)
        self._separator = ","


class CsvWriter:
    """Writes a row for each detection, or for each frame of it.

    Args:
        target: a file, which appears once it is complete, or ``-`` for standard output.
        frames: write a row for each frame; a detection without frames has one row.
    """

    def __init__(self, target: str, frames: bool) -> None:
        self._target, self._frames = target, frames
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        stream: TextIO = sys.stdout
        if self._target == "-" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as in a file: a terminal that cannot show a name must not change it
        elif self._target != "-":
            path = self._stack.enter_context(atomic_path(Path(self._target)))
            stream = self._stack.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._writer = csv.DictWriter(stream, FRAME_COLUMNS if self._frames else COLUMNS, lineterminator="\n")
        self._writer.writeheader()
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._stack.__exit__(exc_type, exc, traceback)

    def add(self, item: BatchItem) -> None:
        """Write the rows of a detection."""
        detection = item.result.detection
        rows = iter_frame_rows(detection) if self._frames else iter([build_detection_row(detection)])
        self._writer.writerows(map(escape_formulas, rows))


class HtmlReportWriter:
    """Writes one HTML file with all files in its overview; those that look most AI-generated have a section with pictures.

    Args:
        target: the file, written after the last item.
        detector: draws missing sprites.
        bar: shows the progress of drawing them.
        total: files to score; where fewer were scored, no missing sprite is drawn.
    """

    def __init__(self, target: Path, detector: BatchDetector, bar: Progress, total: int) -> None:
        self._target, self._detector, self._bar, self._total = target, detector, bar, total
        self._overview: list[OverviewRow] = []
        self._ranking: list[tuple[float, int, BatchItem]] = []
        """A heap of the items with the highest probabilities: probability, negated position, item."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        if exc_type is None and self._overview:
            write_text(self._target, self._render())

    def add(self, item: BatchItem) -> None:
        """Add a row to the overview, and keep the item while it is among those that look most AI-generated."""
        detection = item.result.detection
        probability = probability_to_show(detection)
        entry = (-1.0 if probability is None else probability, -len(self._overview), item.without_pictures())
        self._overview.append(OverviewRow.from_detection(detection))
        if len(self._ranking) < MAX_SECTIONS:
            heapq.heappush(self._ranking, entry)
        else:
            heapq.heappushpop(self._ranking, entry)

    def _render(self) -> str:
        has_all_files = len(self._overview) <= MAX_SECTIONS  # then the sections are in the order of the files
        entries = sorted(self._ranking, key=lambda entry: -entry[1] if has_all_files else (-entry[0], -entry[1]))
        sections = {-position: number for number, (_, position, _) in enumerate(entries, 1)}
        overview = [row.with_section(sections.get(position, 0)) for position, row in enumerate(self._overview)]
        items = self._draw_sprites([item for _, _, item in entries])
        detections = [(item.result.detection, *(item.read_sprites() or (None, None))) for item in items]
        return render_detection_report(detections, overview if len(overview) > 1 else ())

    def _draw_sprites(self, items: list[BatchItem]) -> list[BatchItem]:
        """Return the items with their sprites; of few files all sprites exist already."""
        if len(self._overview) <= MAX_SECTIONS or len(self._overview) < self._total:
            return items
        drawn = self._detector.score_files([item.file for item in items], with_sprites=True)
        return [item.without_pictures() for item in self._bar.track(drawn, len(items), description="drawing pictures")]


class HeatmapWriter:
    """Writes PNG files, each with a frame and, to its right, the same frame with the Grad-CAM heatmap over it.

    A video has one for each suspicious moment; a file without moments or without a verdict has one, of the frame with the highest score.

    Args:
        folder: is created where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        pass

    def add(self, item: BatchItem) -> None:
        """Write the files of an item; an item without a verdict has none."""
        view, sheets = DetectionView.from_detection(item.result.detection), item.read_sprites()
        if view.sprite is None or sheets is None:
            return
        name = _UNSAFE_CHARACTERS.sub("_", Path(item.file.name).stem)[:_MAX_NAME_LENGTH]
        with Image.open(io.BytesIO(sheets[0])) as frames, Image.open(io.BytesIO(sheets[1])) as heatmaps:
            for frame in [moment.frame for moment in view.moments] or [view.peak]:
                pair = np.hstack([np.asarray(view.sprite.crop(sheet, frame)) for sheet in (frames, heatmaps)])
                index = view.sprite.nearest_frame(frame)
                with atomic_path(self._folder / f"{name}-{view.detection.sha256[:12]}-frame{index:04d}.png") as temporary:
                    Image.fromarray(pair).save(temporary, "PNG")


class PredictionWriter:
    """Stores predictions in the metadata store for ``realframe drift``, some at a time. Without a store, the other outputs go on.

    Args:
        settings: of this machine.

    Attributes:
        error: why predictions were not stored; empty where they were. After the first error no further attempt is made.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pending: list[DetectionResult] = []
        self.error = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._flush()

    def add(self, item: BatchItem) -> None:
        """Add the prediction of an item."""
        self._pending.append(item.result.without_pictures())
        if len(self._pending) >= _STORED_TOGETHER:
            self._flush()

    def _flush(self) -> None:
        results, self._pending = self._pending, []
        if not results or self.error:
            return
        from realframe.store.predictions import store_predictions  # not at the top: realframe-detect has no store
        from realframe.store.repository import open_store

        try:
            with open_store(self._settings) as store:
                store_predictions(store, results)
        except MetadataError as error:
            self.error = str(error)


def printable(text: str) -> str:
    """Return text without characters that control the terminal or turn the writing direction; file names may hold any."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _format_row(detection: Detection) -> Text:
    probability = probability_to_show(detection)
    text = "" if probability is None else format_probability(probability)
    interval = describe_interval(detection)
    text += f" ({interval})" if interval not in ("", text) else ""
    figures = f" {text:<22} {detection.frames_analyzed:>6} {sum(detection.seconds.values()):>8.1f}  "
    verdict = (f"{VERDICT_NAMES[detection.verdict]:<13}", _VERDICT_COLORS[detection.verdict])
    return Text.assemble(verdict, figures, printable(detection.file))


def _format_notes(detection: Detection) -> Iterator[tuple[str, str]]:
    """Yield the notes below a row with their colors."""
    if detection.abstention:
        yield printable(detection.abstention.reason), _VERDICT_COLORS["uncertain"]
    if detection.code:
        yield printable(f"{detection.code}: {detection.message}"), "yellow"
    for caution in detection.cautions:
        yield printable(f"! {describe_caution(caution)}"), "yellow"
    if detection.provenance and _has_origin(detection.provenance):
        yield printable(f"origin: {detection.provenance.sentence}"), "cyan"
    if detection.checks:
        yield f"checks: {'; '.join(map(describe_check, detection.checks))}", "dim"
    for reason in dict.fromkeys(check.reason for check in detection.checks if check.reason):
        names = ", ".join(CHECK_NAMES[check.name] for check in detection.checks if check.reason == reason)
        yield printable(f"  {names}: {reason}"), "dim"


def _format_frame(frame: FrameScore) -> str:
    values = (("score", frame.score), ("attention", frame.attention))
    return "  ".join([f"{frame.time_s:>9.3f} s", *(f"{name} {value:.3f}" for name, value in values if value is not None)])


def _has_origin(provenance: Provenance) -> bool:
    """Return whether the file states more of its origin than the program that wrote it."""
    return provenance.credentials is not None or any(trace.origin != "unknown" for trace in provenance.traces)
