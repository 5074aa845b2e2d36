"""The OpenAPI 3.1 document of the API."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from bonafide.serving.problems import Problem

_TAGS = [
    {"name": "detections", "description": "Files handed in, and what the detector says of them."},
    {"name": "models", "description": "The versions of the detector."},
    {"name": "service", "description": "How the service itself is."},
]


def install(app: FastAPI) -> None:
    """Let the application describe itself; its pages for people are no part of it."""
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, description=app.description, routes=app.routes, tags=_TAGS
        )
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas = document["components"]["schemas"]
        schemas |= problem.pop("$defs")
        schemas["Problem"] = problem
        app.openapi_schema = document
    return app.openapi_schema
