"""Put texts that come from outside, such as file names, into Markdown so that they stay plain text: no link, no image, no HTML, no table.

Airflow, MLflow and code hosts render what this program writes.
"""

import re
from collections.abc import Iterable, Sequence

_PUNCTUATION = re.compile(r"[\\`*\[\]{}<>&~|$^]|_(?![^\W_])|(?<![^\W_])_")  # an underscore inside a word is no markup
_BLOCK_START = re.compile(r"^(?:[-+](?=[-\s]|$)|[=#](?=[=#\s]|$)|\d+(?=[.)](?:\s|$)))")  # of a list, a rule or a heading
_LINK_START = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)  # GitHub's Markdown makes a link of a bare address too
_BREAK = "\N{ZERO WIDTH SPACE}"


def escape_markdown(text: object) -> str:
    """Return a text on one line in which no character is markup; characters that cannot be shown are replaced."""
    escaped = _PUNCTUATION.sub(lambda match: f"\\{match[0]}", _LINK_START.sub(_BREAK, make_single_line(text)))
    return _BLOCK_START.sub(lambda match: f"{match[0]}\\" if match[0].isdecimal() else f"\\{match[0]}", escaped)


def format_code_span(text: object) -> str:
    """Return a text on one line as a code span; one with ``|`` as plain text, since renderers disagree on that in a table."""
    line = make_single_line(text)
    if "|" in line:
        return escape_markdown(line)
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if line[:1] in ("`", " ") or line[-1:] in ("`", " ") else ""
    return f"{fence}{padding}{line or ' '}{padding}{fence}"


def format_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the cells are Markdown."""
    return "\n".join([_format_row(titles), _format_row(["---"] * len(titles)), *map(_format_row, rows)])


def make_single_line(text: object) -> str:
    """Return a text without line breaks and characters that control the display, such as those that turn the writing direction."""
    line = " ".join(str(text).split())
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)


def _format_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
