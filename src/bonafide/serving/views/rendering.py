"""The one place where a page is made of a template."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from bonafide.serving.access.sessions import Visitor
from bonafide.serving.views import words

STATIC = StaticFiles(directory=Path(__file__).parents[1] / "static")


def page(request: Request, name: str, visitor: Visitor | None = None, status: int = 200, **facts: Any) -> HTMLResponse:
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
    loader = PackageLoader("bonafide.serving.views")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters |= {name: getattr(words, name) for name in ("size", "percent", "clock", "when")}
    made.globals |= {"VERDICTS": words.VERDICTS}
    return Jinja2Templates(env=made)


_TEMPLATES = _templates()
