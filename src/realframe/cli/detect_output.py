"""The report of ``realframe detect --html``: all files in its overview, and those that look most AI-generated with their pictures.

Where the answers of ``realframe detect`` go besides the table: each is written as it comes, none is held.

What ``realframe detect`` says is kept for ``realframe drift``, some at a time; that it can't be kept takes nobody's answer away.

The table of ``realframe detect``: a line for each answer as it comes, and below it what else is to be said.
"""

import csv
import heapq
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

import typer
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from realframe.detection.batch import BatchDetector, BatchItem
from realframe.detection.result import FRAMES, HEAT, DetectionResult
from realframe.detection.stored_predictions import keep
from realframe.errors import MetadataError
from realframe.files import atomic_path, write_text
from realframe.presentation.result_rows import COLUMNS, Row, harmless, row_of
from realframe.provenance.origin import Provenance
from realframe.reports.detection_report import Line, WithPictures, html
from realframe.settings import Settings
from realframe.store.detection_documents import Detection, FrameScore
from realframe.store.repository import open_store

MOST = 100
"""Files with a section of their own; no browser opens a page with the pictures of thousands."""


class PageSheet:
    """One HTML file.

    Args:
        target: is written when the last answer is there.
        answering: draws the pictures that are missing.
        bar: tells how far the drawing has come.
        total: how many files there are; where fewer were answered, nothing more is drawn.
    """

    def __init__(self, target: Path, answering: BatchDetector, bar: Progress, total: int) -> None:
        self._target, self._answering, self._bar, self._total = target, answering, bar, total
        self._lines: list[Line] = []
        self._chosen: list[tuple[float, int, BatchItem]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._lines:
            write_text(self._target, self._page())

    def add(self, given: BatchItem) -> None:
        """Take an answer: a line of the overview, and the answer itself as long as it is among those that look most AI-generated."""
        said = given.answer.detection
        row = (-1.0 if said.probability is None else said.probability, -len(self._lines), given.without_pictures())
        self._lines.append(Line.of(said))
        if len(self._chosen) < MOST:
            heapq.heappush(self._chosen, row)
        else:
            heapq.heappushpop(self._chosen, row)

    def _page(self) -> str:
        every = len(self._lines) <= MOST  # then in the order of the files
        rows = sorted(self._chosen, key=lambda row: -row[1] if every else (-row[0], -row[1]))
        places = {-number: section for section, (_, number, _) in enumerate(rows, 1)}
        lines = [line.at(places.get(number, 0)) for number, line in enumerate(self._lines)]
        return html([_with_pictures(given) for given in self._drawn([given for _, _, given in rows])], lines if len(lines) > 1 else ())

    def _drawn(self, chosen: list[BatchItem]) -> list[BatchItem]:
        """Return the answers with their pictures."""
        if len(self._lines) <= MOST or len(self._lines) < self._total:
            return chosen
        again = self._answering.each([given.file for given in chosen], pictures=True, anew=False)
        return [given.without_pictures() for given in self._bar.track(again, len(chosen), description="drawing pictures")]


def _with_pictures(given: BatchItem) -> WithPictures:
    said = given.answer.detection
    if said.tiles is None:
        return said, None, None
    return said, (given.folder / FRAMES).read_bytes(), (given.folder / HEAT).read_bytes()


_FRAME = ("file", "verdict", "probability", "time_s", "frame_score", "attention", "model", "sha256")


class Sheet(Protocol):
    """Something that answers are written to, one by one; what was added is whole when it is left, also by Ctrl-C."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def add(self, given: BatchItem) -> None:
        """Write an answer."""


class JsonSheet:
    """One list on standard output, an answer a line."""

    def __init__(self) -> None:
        self._before = "["

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            typer.echo("[]" if self._before == "[" else "\n]")

    def add(self, given: BatchItem) -> None:
        """Write an answer."""
        typer.echo(f"{self._before}\n{given.answer.detection.model_dump_json()}", nl=False)
        self._before = ","


class CsvSheet:
    """A row for each answer, or for each frame of it.

    Args:
        target: a file, which is there when all are written, or ``-`` for standard output.
        frames: a row for each frame; an answer without frames has one row.
    """

    def __init__(self, target: str, frames: bool) -> None:
        self._target, self._frames = target, frames
        self._open = ExitStack()

    def __enter__(self) -> Self:
        stream: TextIO = sys.stdout
        if self._target != "-":
            path = self._open.enter_context(atomic_path(Path(self._target)))
            stream = self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
        self._rows = csv.DictWriter(stream, _FRAME if self._frames else COLUMNS, lineterminator="\n")
        self._rows.writeheader()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)

    def add(self, given: BatchItem) -> None:
        """Write the rows of an answer."""
        detection = given.answer.detection
        rows = _frame_rows(detection) if self._frames else iter([row_of(detection)])
        self._rows.writerows(map(harmless, rows))


def _frame_rows(said: Detection) -> Iterator[Row]:
    file = {"file": said.file, "verdict": said.verdict, "probability": said.probability, "model": said.model, "sha256": said.sha256}
    yield from ({**file, "time_s": frame.time_s, "frame_score": frame.score, "attention": frame.attention} for frame in said.frames)
    if not said.frames:
        yield file


_TOGETHER = 100


class StoreSheet:
    """The metadata store.

    Args:
        settings: of this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._waiting: list[DetectionResult] = []
        self.fault = ""
        """Why answers were not stored; empty where they were. After the first fault no further one is tried."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._store()

    def add(self, given: BatchItem) -> None:
        """Take an answer, without its pictures."""
        self._waiting.append(given.answer.without_pictures())
        if len(self._waiting) >= _TOGETHER:
            self._store()

    def _store(self) -> None:
        some, self._waiting = self._waiting, []
        if not some or self.fault:
            return
        try:
            with open_store(self._settings) as store:
                keep(store, some)
        except MetadataError as error:
            self.fault = str(error)


_COLOURS = {"real": "green", "ai-generated": "red", "uncertain": "magenta", "not scored": "yellow"}
_HEAD = f"{'verdict':<13} {'probability of AI':<22} {'frames':>6} {'seconds':>8}  file"
_INDENT = 14 * " "


class TableSheet:
    """The table on standard output.

    Args:
        console: of standard output.
        frames: a line for each frame too.
    """

    def __init__(self, console: Console, frames: bool) -> None:
        self._console, self._frames, self._begun = console, frames, False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def add(self, given: BatchItem) -> None:
        """Write the lines of an answer; before the first one, the title."""
        said = given.answer.detection
        if not self._begun:
            self._begun = True
            self._line(_title(said), "bold")
            self._line(_HEAD, "dim")
        self._console.print(_row(said), soft_wrap=True)
        for words, style in _notes(said):
            self._line(f"{_INDENT}{words}", style)
        for frame in said.frames if self._frames else ():
            self._line(f"{_INDENT}{_frame(frame)}")

    def _line(self, words: str, style: str = "") -> None:
        self._console.print(Text(words, style), soft_wrap=True)


def printable(text: str) -> str:
    """Return text without what would steer the terminal or turn the writing around; names are written by strangers."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _title(said: Detection) -> str:
    band = said.band
    words = f"uncertain from {band.low:.2f} to {band.high:.2f}; else wrong for at most {band.error:.0%} of a class"
    return printable(f"detector {said.model}: {words}")


def _row(said: Detection) -> Text:
    probability = "" if said.probability is None else f"{said.probability:.3f}"
    if said.interval:
        probability += f" ({said.interval.low:.3f} to {said.interval.high:.3f})"
    figures = f" {probability:<22} {said.looked_at:>6} {sum(said.seconds.values()):>8.1f}  "
    return Text.assemble((f"{said.verdict:<13}", _COLOURS[said.verdict]), figures, printable(said.file))


def _notes(said: Detection) -> Iterator[tuple[str, str]]:
    """Yield what is to be said below a row, and in which colour."""
    if said.code:
        yield printable(f"{said.code}: {said.message}"), "yellow"
    for caution in said.cautions:
        yield printable(f"! {caution.code}: {caution.message}"), "yellow"
    if said.provenance and _tells(said.provenance):
        yield printable(f"origin: {said.provenance.sentence}"), "cyan"


def _frame(frame: FrameScore) -> str:
    shares = (("score", frame.score), ("attention", frame.attention))
    return "  ".join([f"{frame.time_s:>9.3f} s", *(f"{name} {share:.3f}" for name, share in shares if share is not None)])


def _tells(origin: Provenance) -> bool:
    """Say whether a file tells more of its origin than the program that wrote it."""
    return origin.credentials is not None or any(trace.says != "unknown" for trace in origin.traces)
