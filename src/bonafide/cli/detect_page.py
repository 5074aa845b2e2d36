"""The report of ``bonafide detect --html``: all files in its overview, and those that look most AI-generated with their pictures."""

import heapq
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.progress import Progress

from bonafide.detection.answering import Answering, Given
from bonafide.detection.detected import FRAMES, HEAT
from bonafide.files import write_text
from bonafide.reporting.detections import Line, WithPictures, html

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

    def __init__(self, target: Path, answering: Answering, bar: Progress, total: int) -> None:
        self._target, self._answering, self._bar, self._total = target, answering, bar, total
        self._lines: list[Line] = []
        self._chosen: list[tuple[float, int, Given]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and self._lines:
            write_text(self._target, self._page())

    def add(self, given: Given) -> None:
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

    def _drawn(self, chosen: list[Given]) -> list[Given]:
        """Return the answers with their pictures."""
        if len(self._lines) <= MOST or len(self._lines) < self._total:
            return chosen
        again = self._answering.each([given.file for given in chosen], pictures=True, anew=False)
        return [given.without_pictures() for given in self._bar.track(again, len(chosen), description="drawing pictures")]


def _with_pictures(given: Given) -> WithPictures:
    said = given.answer.detection
    if said.tiles is None:
        return said, None, None
    return said, (given.folder / FRAMES).read_bytes(), (given.folder / HEAT).read_bytes()
