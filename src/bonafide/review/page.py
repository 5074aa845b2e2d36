"""The one page that a reviewer decides on, for the terminal, Airflow and the web alike."""

from dataclasses import dataclass

from bonafide.errors import RegistryError
from bonafide.metadata.schema import Entry
from bonafide.metadata.store import Store
from bonafide.reporting.mistakes import wrongest
from bonafide.review import comparison, gate, ledger, reign, shadow, split_uses
from bonafide.review.comparison import Rows, Side
from bonafide.review.documents import SCORE
from bonafide.review.gate import Gate
from bonafide.review.shadow import Shadow
from bonafide.review.split_uses import SplitUses
from bonafide.tracking import registry

_WORST = 8


@dataclass(frozen=True)
class Mistake:
    """An item that was called wrong: its original's path, what it is, and its score as the network gives it."""

    path: str
    label: str
    score: float


@dataclass(frozen=True)
class Page:
    """What a reviewer is shown.

    Attributes:
        title: one line.
        warnings: sentences that must not be overlooked.
        heads: of the columns: what the row is, the candidate, and the champion where there is another one.
        figures: side by side, with intervals.
        changes: what differs in how they were made.
        gate: each rule, met or not.
        uses: of the test split.
        shadow: how often it agreed with the champion on the files that people gave; None where there is no other champion.
        mistakes: the candidate's worst ones, the worst first.
    """

    title: str
    warnings: list[str]
    heads: tuple[str, ...]
    figures: Rows
    changes: Rows
    gate: Gate
    uses: SplitUses
    shadow: Shadow | None
    mistakes: list[Mistake]


def gather(version: int, store: Store) -> Page:
    """Put the page of a version together; checking the gate may take a while. Raises RegistryError, MetadataError."""
    candidate = registry.get(version)
    checked = gate.check(version, store)
    rival = registry.get(checked.rival) if checked.rival else None
    sides = [comparison.side(candidate), *([comparison.side(rival)] if rival else [])]
    beside = f"beside version {rival.version}" if rival else "with no other champion beside it"
    return Page(
        title=f"Version {version} {beside}",
        warnings=[*ungated(store), *comparison.warnings(sides)],
        heads=("", *(side.head for side in sides)),
        figures=comparison.figure_rows(sides),
        changes=comparison.change_rows(sides),
        gate=checked,
        uses=split_uses.count(candidate, store),
        shadow=shadow.compare(store, version, rival.version) if rival else None,
        mistakes=_mistakes(sides[0]),
    )


def ungated(store: Store) -> list[str]:
    """Return a sentence where the present champion, or that there is none, came past the review."""
    entry = reign.ungated(ledger.entries(store), registry.versions())
    return [told(entry)] if entry else []


def told(entry: Entry) -> str:
    """Return what is said of an alias that was set or taken off by hand."""
    noticed = f"by hand, as noticed on {entry.at[:10]}."
    if entry.action == "removed":
        return f"UNGATED: nothing serves. The alias champion of version {entry.version} was taken off {noticed}"
    return f"UNGATED: version {entry.version} serves past the review. Its alias champion was set {noticed}"


def _mistakes(candidate: Side) -> list[Mistake]:
    if candidate.documents is None:
        return []
    try:
        wrong = wrongest(candidate.documents.test_items, candidate.documents.threshold, _WORST)
    except RegistryError:  # the evidence has no predictions
        return []
    return [Mistake(str(row["path"]), str(row["label"]), float(row[SCORE])) for row in wrong.to_dict("records")]
