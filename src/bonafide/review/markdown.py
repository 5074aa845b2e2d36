"""The reviewer's page as Markdown, for Airflow."""

from collections.abc import Iterable, Sequence

from bonafide.review.page import Page


def markdown(page: Page) -> str:
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
