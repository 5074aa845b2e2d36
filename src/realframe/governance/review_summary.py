"""What a challenger said, unseen, of the files that people gave while the champion answered.

The one page that a reviewer decides on, for the terminal, Airflow and the web alike.

The reviewer's page as Markdown, for Airflow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from realframe.errors import RegistryError
from realframe.governance import champion_history, gate, ledger, version_comparison
from realframe.governance.champion_history import TestSplitUsage
from realframe.governance.evidence_files import SCORE
from realframe.governance.gate import Gate
from realframe.governance.version_comparison import Rows, Side
from realframe.registry import model_registry
from realframe.reports.mistakes import wrongest
from realframe.statistics.conformal import Verdict
from realframe.store.documents import LedgerEntry
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction


@dataclass(frozen=True)
class ShadowComparison:
    """Two versions' predictions of the same files.

    Attributes:
        challenger: the version that waits for a decision.
        champion: the version that serves.
        scored: how many files both have scored.
        agreed: of how many they have the same verdict.
    """

    challenger: int
    champion: int
    scored: int
    agreed: int

    def __str__(self) -> str:
        given = f"{self.scored or 'none'} of the files that people gave"
        agreed = f"; the verdict was that of version {self.champion} in {self.agreed} of them" if self.scored else ""
        return f"In the shadow: version {self.challenger} scored {given}{agreed}."


def compare_shadow(store: Store, challenger: int, champion: int) -> ShadowComparison:
    """Compare what two versions said of the same files. Raises MetadataError."""
    ours, theirs = _said(store, challenger), _said(store, champion)
    both = ours.keys() & theirs.keys()
    return ShadowComparison(challenger, champion, len(both), sum(ours[file] == theirs[file] for file in both))


def _said(store: Store, version: int) -> dict[str, Verdict]:
    """Return the verdicts of a version by the digests of the files, out of the keys alone: the documents are large."""
    keys = {verdict: store.keys(Prediction, {"model": version, "verdict": verdict}) for verdict in get_args(Verdict)}
    return {key.partition("-")[2]: verdict for verdict, found in keys.items() for key in found}


_WORST = 8


@dataclass(frozen=True)
class ReviewedMistake:
    """An item that was called wrong: its original's path, what it is, and its score as the network gives it."""

    path: str
    label: str
    score: float


@dataclass(frozen=True)
class ReviewSummary:
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
    uses: TestSplitUsage
    shadow: ShadowComparison | None
    mistakes: list[ReviewedMistake]


def gather(version: int, store: Store) -> ReviewSummary:
    """Put the page of a version together; checking the gate may take a while. Raises RegistryError, MetadataError."""
    candidate = model_registry.get(version)
    checked = gate.check(version, store)
    rival = model_registry.get(checked.rival) if checked.rival else None
    sides = [version_comparison.side(candidate), *([version_comparison.side(rival)] if rival else [])]
    beside = f"beside version {rival.version}" if rival else "with no other champion beside it"
    return ReviewSummary(
        title=f"Version {version} {beside}",
        warnings=[*ungated(store), *version_comparison.warnings(sides)],
        heads=("", *(side.head for side in sides)),
        figures=version_comparison.figure_rows(sides),
        changes=version_comparison.change_rows(sides),
        gate=checked,
        uses=champion_history.count_test_split_usage(candidate, store),
        shadow=compare_shadow(store, version, rival.version) if rival else None,
        mistakes=_mistakes(sides[0]),
    )


def ungated(store: Store) -> list[str]:
    """Return a sentence where the present champion, or that there is none, came past the review."""
    entry = champion_history.ungated(ledger.entries(store), model_registry.versions())
    return [told(entry)] if entry else []


def told(entry: LedgerEntry) -> str:
    """Return what is said of an alias that was set or taken off by hand."""
    noticed = f"by hand, as noticed on {entry.at[:10]}."
    if entry.action == "removed":
        return f"UNGATED: nothing serves. The alias champion of version {entry.version} was taken off {noticed}"
    return f"UNGATED: version {entry.version} serves past the review. Its alias champion was set {noticed}"


def _mistakes(candidate: Side) -> list[ReviewedMistake]:
    if candidate.documents is None:
        return []
    try:
        wrong = wrongest(candidate.documents.test_items, candidate.documents.threshold, _WORST)
    except RegistryError:  # the evidence has no predictions
        return []
    return [ReviewedMistake(str(row["path"]), str(row["label"]), float(row[SCORE])) for row in wrong.to_dict("records")]


def markdown(page: ReviewSummary) -> str:
    """Return the page as Markdown."""
    rules = [(rule.name, rule.word if rule.met else f"**{rule.word}**", rule.said, rule.needed) for rule in page.gate.rules]
    unmet = len(page.gate.unmet)
    verdict = f"{unmet} of {len(rules)} rules are not met: approving needs an override reason." if unmet else "Every rule is met."
    mistakes = [(mistake.path, mistake.label, f"{mistake.score:.3f}") for mistake in page.mistakes]
    return "\n\n".join(
        [
            f"## {page.title}",
            *(f"> **Note:** {warning}" for warning in page.warnings),
            f"### The gate\n\n{verdict}",
            _table(("rule", "", "found", "needed"), rules),
            "### The figures, with 95 % intervals",
            _table(page.heads, page.figures),
            "### What changed",
            _table(page.heads, page.changes),
            "### The worst mistakes",
            _table(("file", "is", "score"), mistakes) if mistakes else "None on the test split.",
            str(page.uses),
            *([str(page.shadow)] if page.shadow else []),
            "Nobody's answer in time is no approval.",
        ]
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
