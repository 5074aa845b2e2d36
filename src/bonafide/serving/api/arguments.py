"""What routes ask for, as it stands in the OpenAPI document."""

import re
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BeforeValidator, StringConstraints, WithJsonSchema

from bonafide.serving.records import CURSOR


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
