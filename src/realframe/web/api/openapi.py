"""Describe the API: the parameter types of the routes, the error responses, and the OpenAPI 3.1 document."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Path, Query
from fastapi.openapi.utils import get_openapi
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from realframe.statistics.conformal import Verdict
from realframe.store.detection_records import CURSOR_PATTERN
from realframe.web.error_responses import PROBLEM_MEDIA_TYPE, Problem


def _require_date(text: str) -> str:
    """Refuse a number, which Pydantic would read as seconds since 1970."""
    if not re.match(r"\d{4}-", text):
        raise ValueError("a date or a time in ISO 8601 is expected")
    return text


DetectionId = Annotated[
    str, Path(pattern="^[0-9a-f]{32}$", description="the id of the detection", examples=["18b0a1c2d3e4f5061a2b3c4d5e6f7081"])
]
BatchId = Annotated[
    str,
    Query(pattern="^([0-9a-f]{16})?$", description="16 hex digits that the files of a batch share; they are scored after live files"),
]
Cursor = Annotated[str, Query(pattern=CURSOR_PATTERN, description="`next` of the previous page")]
VerdictName = Verdict | Literal["not scored"]
TextLine = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Time = Annotated[
    datetime,
    BeforeValidator(_require_date),
    WithJsonSchema({"anyOf": [{"type": "string", "format": name} for name in ("date-time", "date")]}),
]
UPLOAD_BODY = {
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
"""The request body of an upload."""

_ERRORS = {
    400: "The request is malformed.",
    401: "The request has no valid API key or session.",
    403: "The role does not allow this request, or a session's request has no valid `X-CSRF-Token`.",
    404: "The resource does not exist, or the user may not see it.",
    408: "The body arrives too slowly.",
    409: "The request conflicts with the state of the resource.",
    413: "The body is too large.",
    415: "The body is not `multipart/form-data`.",
    416: "The file does not have the requested range.",
    422: "A parameter or a field is not valid.",
    429: "Too many requests, or the queue is full: retry after `Retry-After` seconds.",
    500: "An internal error.",
    503: "A component of the service is missing.",
    507: "The disk of the service is full.",
}
_RETRY_HEADERS = {"Retry-After": {"description": "whole seconds", "schema": {"type": "integer", "minimum": 1, "maximum": 120}}}
_RATE_HEADERS = {
    f"RateLimit-{name}": {"description": meaning, "schema": {"type": "integer", "minimum": 0}}
    for name, meaning in {
        "Limit": "uploads allowed per minute and account or API key",
        "Remaining": "uploads left",
        "Reset": "seconds until the limit is reset",
    }.items()
}
UPLOAD_HEADERS = {"Location": {"description": "the address of the record", "schema": {"type": "string"}}, **_RATE_HEADERS}
"""The headers of the response to an upload."""


def error_docs(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of the error responses of a route, including those that every route may return."""
    return {status: _error_doc(status) for status in sorted({*statuses, 401, 422, 429, 500, 503})}


def public_error_docs(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the same for a route that needs no authentication."""
    return {status: _error_doc(status) for status in sorted({*statuses, 500})}


def _error_doc(status: int) -> dict[str, Any]:
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": _ERRORS[status], "content": content, **({"headers": _RETRY_HEADERS} if status == 429 else {})}


_TAGS = [
    {"name": "detections", "description": "Uploaded files and their results."},
    {"name": "models", "description": "The versions of the detector."},
    {"name": "service", "description": "Health and metrics of the service."},
]


def set_openapi(app: FastAPI) -> None:
    """Let the application serve the OpenAPI document; the pages are not part of it."""
    app.openapi = lambda: _build_document(app)  # type: ignore[method-assign]


def _build_document(app: FastAPI) -> dict[str, Any]:
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
