"""What routes ask for, as it stands in the OpenAPI document.

What every route says of itself in the OpenAPI document besides its success.

The OpenAPI 3.1 document of the API.
"""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query
from fastapi.openapi.utils import get_openapi
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from realframe.store.detection_records import CURSOR
from realframe.web.error_responses import MEDIA_TYPE, Problem


def _dated(text: str) -> str:
    """Refuse a number, which Pydantic takes for the seconds since 1970."""
    if not re.match(r"\d{4}-", text):
        raise ValueError("a date or a time of ISO 8601 is expected")
    return text


Known = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the record's id", examples=["18b0a1c2d3e4f5061a2b3c4d5e6f7081"])]
Batch = Annotated[
    str,
    Query(pattern="^([0-9a-f]{16})?$", description="16 hex digits that files handed in together share; they are scored after live ones"),
]
Cursor = Annotated[str, Query(pattern=CURSOR, description="`next` of the page before")]
VerdictName = Literal["real", "ai-generated", "uncertain", "not scored"]
Text = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A line of text."""
Time = Annotated[
    datetime, BeforeValidator(_dated), WithJsonSchema({"anyOf": [{"type": "string", "format": of} for of in ("date-time", "date")]})
]
FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary", "description": "an image or a video"}},
            }
        }
    },
}
"""The body with a file."""


_ERRORS = {
    400: "The request can't be read.",
    401: "No key or session, or one that is not valid.",
    403: "The caller may not do this, or a session's request lacks its `X-CSRF-Token`.",
    404: "It is not there, or not for the caller's eyes.",
    408: "The body came too slowly.",
    409: "It can't be done as things stand.",
    413: "The body is larger than this service takes.",
    415: "The body is no `multipart/form-data`.",
    416: "The file has no such range.",
    422: "A parameter or a field is not as this document says.",
    429: "Too many requests, or a full queue: send it again after `Retry-After` seconds.",
    500: "A fault of the service.",
    503: "A part of the service is missing.",
    507: "The disk of the service is full.",
}
_RETRY = {"Retry-After": {"description": "whole seconds", "schema": {"type": "integer", "minimum": 1, "maximum": 120}}}
_RATE = {
    f"RateLimit-{name}": {"description": meaning, "schema": {"type": "integer", "minimum": 0}}
    for name, meaning in {
        "Limit": "uploads that an account or a key may send in a minute",
        "Remaining": "of them left",
        "Reset": "seconds until the minute is over",
    }.items()
}
ACCEPTED = {"Location": {"description": "the record's address", "schema": {"type": "string"}}, **_RATE}
"""The headers of an answer to who handed a file in."""


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the answers other than success that a route may give, each of them a problem; those that every route may give included."""
    return {status: _problem(status) for status in sorted({*statuses, 401, 422, 429, 500, 503})}


def public_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the same for a route that asks nobody who they are."""
    return {status: _problem(status) for status in sorted({*statuses, 500})}


def _problem(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _ERRORS[status], "content": content, **({"headers": _RETRY} if status == 429 else {})}


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
