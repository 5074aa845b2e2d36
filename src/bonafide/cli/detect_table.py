"""The table of ``bonafide detect``: a line for each answer as it comes, and below it what else is to be said."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.text import Text

from bonafide.detection.answering import Given
from bonafide.metadata.detections import Detection, FrameScore
from bonafide.provenance.provenance import Provenance

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

    def add(self, given: Given) -> None:
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
