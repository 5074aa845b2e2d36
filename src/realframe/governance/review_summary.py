"""Build the summary that a reviewer decides on, the same for the terminal, Airflow and the web, and render it as Markdown.

It is read from the store and the registry; nothing is computed, downloaded or written. It holds the gate result, the metrics and
parameters next to the champion's, the worst mistakes, the uses of the test split, and the shadow comparison: how often the challenger,
which also scores the files that users submit, agrees with the champion on them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from realframe.errors import GateError
from realframe.governance import champion_history, gate_results, ledger, ledger_audit, reconcile
from realframe.governance.champion_history import SplitUsage
from realframe.governance.gate_results import TABLE_TITLES, GateResult
from realframe.governance.ledger import Decision
from realframe.governance.version_comparison import ReviewedMistake, Rows, compare_registered, format_version_title
from realframe.markdown import escape_markdown, format_code_span, format_table
from realframe.registry import model_registry
from realframe.registry.model_registry import CHALLENGER, ModelVersion
from realframe.settings import get_settings
from realframe.store import worker_status
from realframe.store.predictions import compare_verdicts
from realframe.store.repository import Store, open_store
from realframe.store.user_documents import LedgerEntry

_MAX_COMPARED = 10_000  # files in the shadow comparison: the page that shows it must not read every prediction


@dataclass(frozen=True)
class ShadowComparison:
    """Two versions' predictions of the same files.

    Attributes:
        challenger: the version that waits for a decision.
        champion: the version that serves.
        scored: number of files that both scored, of the last 10,000 of the challenger.
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
class ReviewSummary:
    """What a reviewer sees.

    Attributes:
        title: one line.
        warnings: sentences that the reviewer must not overlook.
        column_titles: of the two tables: the row title, the candidate, and the champion if there is another one.
        figures: one row per metric, with its 95 % interval.
        changes: one row per difference in how the versions were made.
        gate: the stored gate result; None where none is stored for the version, the champion, the rules and the evidence as they are now.
        gate_headline: the outcome of the gate in a sentence; without a stored result, why there is none and how to get one.
        split_usage: the uses of the test split.
        shadow: the shadow comparison with the champion; None if there is no other champion.
        mistakes: the candidate's worst mistakes, the worst first; empty without a stored gate result.
    """

    title: str
    warnings: list[str]
    column_titles: tuple[str, ...]
    figures: Rows
    changes: Rows
    gate: GateResult | None
    gate_headline: str
    split_usage: SplitUsage
    shadow: ShadowComparison | None
    mistakes: tuple[ReviewedMistake, ...]


def build_review_summary(version: int, store: Store) -> ReviewSummary:
    """Build the summary of a version from what is stored. Raises RegistryError, MetadataError."""
    with model_registry.read_versions_once():
        return _build_summary(version, store)


def _build_summary(version: int, store: Store) -> ReviewSummary:
    candidate = model_registry.get_version(version)
    champion = gate_results.find_comparison_champion(candidate, store)
    try:
        gate_result = gate_results.find_gate_result(version, store)
        gate_headline = gate_result.headline if gate_result else _describe_missing_result(candidate, store)
    except GateError as error:
        gate_result, gate_headline = None, str(error)
    comparison = gate_result.comparison if gate_result else compare_registered(candidate, champion)
    title = f"compared with version {champion.version}" if champion else "without another champion to compare with"
    return ReviewSummary(
        title=f"Version {version} {title}",
        warnings=[*list_ledger_warnings(store), *comparison.warnings],
        column_titles=("", *(format_version_title(column) for column in (candidate, champion) if column)),
        figures=comparison.figures,
        changes=comparison.changes,
        gate=gate_result,
        gate_headline=gate_headline,
        split_usage=champion_history.count_split_usage(candidate, store),
        shadow=compare_shadow(store, version, champion.version) if champion else None,
        mistakes=comparison.mistakes,
    )


def _describe_missing_result(candidate: ModelVersion, store: Store) -> str:
    command = f"`realframe registry gate {candidate.version}`"
    if CHALLENGER in candidate.aliases and worker_status.list_alive(store):
        return f"The gate is not computed yet. A worker computes it while no upload waits; to compute it now, run {command}."
    return f"The gate is not computed yet. Compute it: {command}."


def compare_shadow(store: Store, challenger: int, champion: int) -> ShadowComparison:
    """Compare two versions' verdicts of the same files, of those that the challenger scored last. Raises MetadataError."""
    pairs = compare_verdicts(store, challenger, champion, _MAX_COMPARED)
    return ShadowComparison(challenger, champion, len(pairs), sum(one == other for one, other in pairs))


def list_ledger_warnings(store: Store) -> list[str]:
    """Return the open alarms about the ledger; if there is none, a warning if the champion was set or removed without a review."""
    if alarms := ledger_audit.list_ledger_alarms(store):
        return alarms  # who the champion should be cannot be derived from a ledger that was changed
    chain, versions = ledger.list_entries(store), model_registry.list_versions()
    change = reconcile.find_manual_change(chain, versions)
    if change:
        return [describe_manual_change(change, "which is not in the ledger yet")]
    entry = champion_history.find_unapproved_promotion(chain, versions)
    return [describe_manual_change(entry, f"detected on {entry.created[:10]}")] if entry else []


def describe_manual_change(change: LedgerEntry | Decision, detection: str) -> str:
    """Return a warning about an alias that was set or removed by hand; ``detection`` says when this was detected."""
    number = change.version
    if change.action == "alias_removed":
        state = f"No champion: the alias champion of version {number} was removed in MLflow without a review, {detection}."
        return f"{state} Approve a version: `realframe registry approve VERSION`."
    state = f"Version {number} is the champion without a review: its alias was set in MLflow, {detection}."
    return f"{state} Approve it, `realframe registry approve {number}`, or return to the former champion, `realframe registry rollback`."


def load_markdown(version: int) -> str:
    """Return the summary of a version as Markdown, from the store of this checkout. Raises RegistryError, MetadataError."""
    with open_store(get_settings()) as store:
        return summary_markdown(build_review_summary(version, store))


def summary_markdown(summary: ReviewSummary) -> str:
    """Render the summary as Markdown, for Airflow. All values are plain text in it: names of files and recipes come from outside."""
    rows = summary.gate.rows if summary.gate else ()
    rules = [
        (escape_markdown(name), outcome if outcome == "met" else f"**{outcome}**", *map(escape_markdown, rest))
        for name, outcome, *rest in rows
    ]
    mistakes = [(format_code_span(mistake.path), escape_markdown(mistake.label), f"{mistake.score:.3f}") for mistake in summary.mistakes]
    titles = [escape_markdown(title) for title in summary.column_titles]
    return "\n\n".join(
        [
            f"## {escape_markdown(summary.title)}",
            *(f"> **Note:** {escape_markdown(warning)}" for warning in summary.warnings),
            f"### Gate\n\n{escape_markdown(summary.gate_headline)}",
            *([format_table(TABLE_TITLES, rules)] if rules else []),
            "### Metrics, with 95 % intervals",
            format_table(titles, _escape_rows(summary.figures)),
            "### Changes",
            format_table(titles, _escape_rows(summary.changes)),
            "### Worst mistakes",
            format_table(("file", "true label", "score"), mistakes) if mistakes else "None on the test split, or not known.",
            escape_markdown(summary.split_usage),
            *([escape_markdown(summary.shadow)] if summary.shadow else []),
            "If nobody answers in time, the version is not approved.",
        ]
    )


def _escape_rows(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[escape_markdown(cell) for cell in row] for row in rows]
