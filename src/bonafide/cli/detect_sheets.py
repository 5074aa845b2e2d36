"""Where the answers of ``bonafide detect`` go besides the table: each is written as it comes, none is held."""

import csv
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

import typer

from bonafide.detection.answering import Given
from bonafide.files import atomic_path
from bonafide.metadata.detections import Detection

_FILE = (
    "file",
    "verdict",
    "probability",
    "low",
    "high",
    "score",
    "looked_at",
    "kind",
    "cautions",
    "moments",
    "credentials",
    "origin",
    "model",
    "seconds",
    "sha256",
    "code",
    "message",
)
_FRAME = ("file", "verdict", "probability", "time_s", "frame_score", "attention", "model", "sha256")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
        self._rows = csv.DictWriter(stream, _FRAME if self._frames else _FILE, lineterminator="\n")
        self._rows.writeheader()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)

    def add(self, given: Given) -> None:
        """Write the rows of an answer."""
        detection = given.answer.detection
        rows = _frame_rows(detection) if self._frames else iter([_file_row(detection)])
        self._rows.writerows({name: _plain(value) for name, value in row.items()} for row in rows)


def _file_row(said: Detection) -> dict[str, Any]:
    low, high = (said.interval.low, said.interval.high) if said.interval else (None, None)
    credentials = said.provenance.credentials if said.provenance else None
    return {
        "file": said.file,
        "verdict": said.verdict,
        "probability": said.probability,
        "low": low,
        "high": high,
        "score": said.score,
        "looked_at": said.looked_at,
        "kind": said.facts.kind if said.facts else "",
        "cautions": " ".join(caution.code for caution in said.cautions),
        "moments": " ".join(f"{moment.start_s:.3f}-{moment.end_s:.3f}" for moment in said.moments),
        "credentials": credentials.state if credentials else "",
        "origin": said.provenance.sentence if said.provenance else "",
        "model": said.model,
        "seconds": round(sum(said.seconds.values()), 3),
        "sha256": said.sha256,
        "code": said.code,
        "message": said.message,
    }


def _frame_rows(said: Detection) -> Iterator[dict[str, Any]]:
    file = {"file": said.file, "verdict": said.verdict, "probability": said.probability, "model": said.model, "sha256": said.sha256}
    yield from ({**file, "time_s": frame.time_s, "frame_score": frame.score, "attention": frame.attention} for frame in said.frames)
    if not said.frames:
        yield file


def _plain(value: Any) -> Any:
    """Keep a spreadsheet from taking a name for a formula: a path stays the same path behind ``./``."""
    return f"./{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
