"""A long table, page by page.

The one place where a page is made of a template.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from realframe.presentation import formatting
from realframe.web.auth.sessions import User


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


STATIC = StaticFiles(directory=Path(__file__).parent / "static")


def page(request: Request, name: str, visitor: User | None = None, status: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page.

    Args:
        request: that it answers.
        name: of the template, without ``.html``.
        visitor: who is signed in.
        status: of the answer.
        facts: what the template shows.
    """
    return _TEMPLATES.TemplateResponse(request, f"{name}.html", {"visitor": visitor, **facts}, status_code=status)


def _templates() -> Jinja2Templates:
    loader = PackageLoader("realframe.web")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {name: getattr(formatting, name) for name in ("size", "percent", "clock", "when")}
    made.globals |= {"VERDICTS": formatting.VERDICTS}
    return Jinja2Templates(env=made)


_TEMPLATES = _templates()
