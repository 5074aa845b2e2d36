"""Where the answers of ``bonafide detect`` go besides the table: each is written as it comes, none is held."""

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TextIO

import typer

from bonafide.detection.answering import Given
from bonafide.files import atomic_path
from bonafide.metadata.detections import Detection
from bonafide.reporting.detection_rows import COLUMNS, Row, harmless, row_of

_FRAME = ("file", "verdict", "probability", "time_s", "frame_score", "attention", "model", "sha256")


class Sheet(Protocol):
    """Something that answers are written to, one by one; what was added is whole when it is left, also by Ctrl-C."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def add(self, given: Given) -> None:
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

    def add(self, given: Given) -> None:
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

    def add(self, given: Given) -> None:
        """Write the rows of an answer."""
        detection = given.answer.detection
        rows = _frame_rows(detection) if self._frames else iter([row_of(detection)])
        self._rows.writerows(map(harmless, rows))


def _frame_rows(said: Detection) -> Iterator[Row]:
    file = {"file": said.file, "verdict": said.verdict, "probability": said.probability, "model": said.model, "sha256": said.sha256}
    yield from ({**file, "time_s": frame.time_s, "frame_score": frame.score, "attention": frame.attention} for frame in said.frames)
    if not said.frames:
        yield file
