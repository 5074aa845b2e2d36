"""A long table, page by page."""

from dataclasses import dataclass
from urllib.parse import urlencode

import pandas as pd


@dataclass(frozen=True)
class Paged:
    """One page of a table.

    Attributes:
        rows: those of this page.
        total: how many there are on all pages.
        first: the place of the first of these rows, from 1; 0 where there is none.
        last: the place of the last one.
        before: the query of the page before this one; empty where this is the first.
        after: the query of the next page; empty where this is the last.
    """

    rows: pd.DataFrame
    total: int
    first: int
    last: int
    before: str
    after: str


def paged(table: pd.DataFrame, page: int, size: int, chosen: dict[str, str]) -> Paged:
    """Return a page of a table; beyond the last page there is the last.

    Args:
        table: all rows.
        page: from 1.
        size: rows on a page, at most.
        chosen: what the visitor chose the rows by; it goes into the queries.
    """
    pages = max(1, -(-len(table) // size))
    page = min(max(1, page), pages)
    start = (page - 1) * size
    rows = table.iloc[start : start + size]
    kept = {name: value for name, value in chosen.items() if value}
    before, after = (urlencode({**kept, "page": number}) if 1 <= number <= pages else "" for number in (page - 1, page + 1))
    return Paged(rows, len(table), start + bool(len(rows)), start + len(rows), before, after)
