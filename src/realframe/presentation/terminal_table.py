"""Tables on the terminal whose cells are folded and never cut: a path, an address or a password must be whole to be of use."""

from collections.abc import Iterable, Sequence

from rich.box import HEAVY_HEAD, SIMPLE
from rich.table import Column, Table
from rich.text import Text


def make_table(
    heads: Sequence[str], rows: Iterable[Sequence[str | Text]] = (), *, title: str | None = None, has_lines: bool = True
) -> Table:
    """Return a table.

    Args:
        heads: titles of the columns; none is shown if all are empty.
        rows: cells; a string is shown as it is, also with square brackets, and a ``Text`` has its style.
        title: shown above the table.
        has_lines: draw the border and the lines between columns.
    """
    columns = [Column(head, overflow="fold") for head in heads]
    table = Table(*columns, title=title, box=HEAVY_HEAD if has_lines else SIMPLE, show_header=any(heads))
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table
