"""What every route says of itself in the OpenAPI document besides its success."""

from typing import Any

from bonafide.serving.problems import MEDIA_TYPE

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
