"""The page of the REST API: Swagger UI over the API's OpenAPI document. Its files are served by this service, none by another host."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.staticfiles import StaticFiles

from realframe.web.auth.sessions import SignedInUser
from realframe.web.rendering import render_page

router = APIRouter(prefix="/api-docs")
SWAGGER_UI = StaticFiles(directory=Path(str(files("fastapi_swagger") / "resources")))
"""The scripts and styles of Swagger UI."""


@router.get("")
def show_api(request: Request, user: SignedInUser) -> Response:
    """Show the routes of the API, to be tried out with the user's own session."""
    return render_page(request, "api_docs", user, openapi_url=request.app.openapi_url)
