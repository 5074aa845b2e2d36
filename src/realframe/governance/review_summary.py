"""Build the summary that a reviewer decides on, the same for the terminal, Airflow and the web, and render it as Markdown.

It holds the gate result, the metrics and parameters next to the champion's, the worst mistakes, the uses of the test split, and the shadow
comparison: how often the challenger, which also scores the files that users submit, agrees with the champion on them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from realframe.errors import RegistryError
from realframe.governance import champion_history, gate, ledger
from realframe.governance.champion_history import SplitUsage
from realframe.governance.evidence_files import SCORE
from realframe.governance.gate import GateResult
from realframe.governance.version_comparison import (
    ComparedVersion,
    Rows,
    build_difference_rows,
    build_metric_rows,
    list_version_warnings,
    load_compared_version,
)
from realframe.registry import model_registry
from realframe.reports.mistakes import select_worst_items
from realframe.store.predictions import verdicts_by_file
from realframe.store.repository import Store
from realframe.store.user_documents import LedgerEntry

_MAX_MISTAKES = 8


@dataclass(frozen=True)
class ShadowComparison:
    """Two versions' predictions of the same files.

    Attributes:
        challenger: the version that waits for a decision.
        champion: the version that serves.
        scored: number of files that both scored.
        agreed: number of these with the same verdict.
    """

    challenger: int
    champion: int
    scored: int
    agreed: int

    def __str__(self) -> str:
        agreement = f"; its verdict equals that of version {self.champion} for {self.agreed} of them" if self.scored else ""
        return f"Shadow scoring: version {self.challenger} scored {self.scored or 'none'} of the files that users submitted{agreement}."


@dataclass(frozen=True)
class ReviewedMistake:
    """A misclassified item: path of its original, true label, and the network's score."""

    path: str
    label: str
    score: float


@dataclass(frozen=True)
class ReviewSummary:
    """What a reviewer sees.

    Attributes:
        title: one line.
        warnings: sentences that the reviewer must not overlook.
        column_titles: of the two tables: the row title, the candidate, and the champion if there is another one.
        figures: one row per metric, with its 95 % interval.
        changes: one row per difference in how the versions were made.
        gate: the gate result.
        split_usage: the uses of the test split.
        shadow: the shadow comparison with the champion; None if there is no other champion.
        mistakes: the candidate's worst mistakes, the worst first.
    """

    title: str
    warnings: list[str]
    column_titles: tuple[str, ...]
    figures: Rows
    changes: Rows
    gate: GateResult
    split_usage: SplitUsage
    shadow: ShadowComparison | None
    mistakes: list[ReviewedMistake]


def build_review_summary(version: int, store: Store) -> ReviewSummary:
    """Build the summary of a version; checking the gate may take a while. Raises RegistryError, MetadataError."""
    candidate = model_registry.get_version(version)
    gate_result = gate.check_gate(version, store)
    champion = model_registry.get_version(gate_result.champion) if gate_result.champion else None
    compared = [load_compared_version(candidate), *([load_compared_version(champion)] if champion else [])]
    title = f"compared with version {champion.version}" if champion else "without another champion to compare with"
    return ReviewSummary(
        title=f"Version {version} {title}",
        warnings=[*list_unapproved_champion_warnings(store), *list_version_warnings(compared)],
        column_titles=("", *(column.title for column in compared)),
        figures=build_metric_rows(compared),
        changes=build_difference_rows(compared),
        gate=gate_result,
        split_usage=champion_history.count_split_usage(candidate, store),
        shadow=compare_shadow(store, version, champion.version) if champion else None,
        mistakes=_worst_mistakes(compared[0]),
    )


def compare_shadow(store: Store, challenger: int, champion: int) -> ShadowComparison:
    """Compare two versions' verdicts of the same files. Raises MetadataError."""
    challenger_verdicts, champion_verdicts = verdicts_by_file(store, challenger), verdicts_by_file(store, champion)
    common = challenger_verdicts.keys() & champion_verdicts.keys()
    return ShadowComparison(challenger, champion, len(common), sum(challenger_verdicts[file] == champion_verdicts[file] for file in common))


def list_unapproved_champion_warnings(store: Store) -> list[str]:
    """Return a warning if the current champion was set, or the last one removed, without a review."""
    entry = champion_history.find_unapproved_promotion(ledger.list_entries(store), model_registry.list_versions())
    return [describe_manual_change(entry)] if entry else []


def describe_manual_change(entry: LedgerEntry) -> str:
    """Return a warning about an alias that was set or removed by hand."""
    number, date = entry.version, entry.created[:10]
    if entry.action == "alias_removed":
        state = f"No champion: the alias champion of version {number} was removed in MLflow without a review, detected on {date}."
        return f"{state} Approve a version: `realframe registry approve VERSION`."
    state = f"Version {number} is the champion without a review: its alias was set in MLflow, detected on {date}."
    return f"{state} Approve it, `realframe registry approve {number}`, or return to the former champion, `realframe registry rollback`."


def _worst_mistakes(candidate: ComparedVersion) -> list[ReviewedMistake]:
    if candidate.evidence is None:
        return []
    try:
        wrong = select_worst_items(candidate.evidence.test_items, candidate.evidence.threshold, _MAX_MISTAKES)
    except RegistryError:  # the evidence has no predictions
        return []
    return [ReviewedMistake(str(row["path"]), str(row["label"]), float(row[SCORE])) for row in wrong.to_dict("records")]


def summary_markdown(summary: ReviewSummary) -> str:
    """Render the summary as Markdown, for Airflow."""
    rules = [(rule.name, rule.status if rule.is_met else f"**{rule.status}**", rule.observed, rule.required) for rule in summary.gate.rules]
    unmet = len(summary.gate.unmet_rules)
    outcome = f"{unmet} of {len(rules)} rules are not met: an approval needs an override reason." if unmet else "Every rule is met."
    mistakes = [(mistake.path, mistake.label, f"{mistake.score:.3f}") for mistake in summary.mistakes]
    return "\n\n".join(
        [
            f"## {summary.title}",
            *(f"> **Note:** {warning}" for warning in summary.warnings),
            f"### Gate\n\n{outcome}",
            _table(("rule", "", "observed", "required"), rules),
            "### Metrics, with 95 % intervals",
            _table(summary.column_titles, summary.figures),
            "### Changes",
            _table(summary.column_titles, summary.changes),
            "### Worst mistakes",
            _table(("file", "true label", "score"), mistakes) if mistakes else "None on the test split.",
            str(summary.split_usage),
            *([str(summary.shadow)] if summary.shadow else []),
            "If nobody answers in time, the version is not approved.",
        ]
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([_line(heads), _line(["---"] * len(heads)), *(_line(row) for row in rows)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
