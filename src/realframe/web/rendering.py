"""Render the HTML pages from their templates."""

from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from realframe.presentation.templating import create_template_environment
from realframe.store.accounts import User

STATIC = StaticFiles(directory=Path(__file__).parent / "static")


def render_page(request: Request, template: str, user: User | None = None, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page.

    Args:
        request: the request that the page answers.
        template: the name of the template, without ``.html``.
        user: the user who is signed in.
        status: the HTTP status of the response.
        context: the variables of the template.
    """
    waiting = request.app.state.monitor.find_challenger() if user and user.can_decide else None
    variables = {"user": user, "waiting_version": waiting, **context}
    return _TEMPLATES.TemplateResponse(request, f"{template}.html", variables, status_code=status)


_TEMPLATES = Jinja2Templates(env=create_template_environment("realframe.web"))
