"""What stands in a file's metadata, and what it amounts to."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bonafide.provenance.provenance import Trace
from bonafide.provenance.sources import source_of
from bonafide.provenance.text import plain
from bonafide.provenance.tools import Field, tool_in

_log = logging.getLogger(__name__)
_SEARCHED = 8_000  # characters of a value
_KEYS: dict[str, Field] = {
    **dict.fromkeys(("parameters", "prompt", "workflow", "credit", "handler_name", "generation_data", "fooocus_scheme"), "settings"),
    **dict.fromkeys(("sd-metadata", "dream", "invokeai_metadata", "invokeai_graph", "invokeai_workflow"), "settings"),
    **dict.fromkeys(("software", "source", "creator", "creator tool", "encoder", "encoding_tool", "creation_tool"), "program"),
    **dict.fromkeys(("com.apple.quicktime.software", "com.android.capture.application", "writing_application"), "program"),
    **dict.fromkeys(("make", "model", "com.apple.quicktime.make", "com.apple.quicktime.model"), "maker"),
    **dict.fromkeys(("com.android.manufacturer", "com.android.model"), "maker"),
    "aigc": "label",
}
"""What stands under the names that programs give to free fields: text chunks of PNG, tags of videos. Under any other, prose."""


@dataclass(frozen=True)
class Statement:
    """One field of metadata.

    Attributes:
        where: it stands, such as ``EXIF Make``.
        field: what sort of thing stands there; ``source`` for a digital source type.
        value: as it stands there.
        key: a name that was given to it by the program that wrote it; empty where its name is that of a standard.
    """

    where: str
    field: Field | Literal["source"]
    value: str
    key: str = ""


def keyed(where: str, key: str, value: str) -> Statement:
    """Return the statement that stands under a free ``key``; in ``where`` the braces stand for the key."""
    return Statement(where.format(plain(key)[:40]), _KEYS.get(key.lower(), "prose"), value, key)


def readable(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Yield ``statements`` as far as they can be read."""
    try:
        yield from statements
    except Exception as error:  # what a parser makes of a hostile file is on no list
        _log.debug("some metadata can't be read: %r", error)


def judged(statement: Statement) -> Trace | None:
    """Return what a statement amounts to; None where it tells nothing of the file's origin."""
    value = plain(statement.value)
    if not value:
        return None
    if statement.field == "source":
        source = source_of(statement.value)
        return Trace(statement.where, source.says if source else "unknown", value, "")
    tool = tool_in(statement.value[:_SEARCHED], statement.field) or tool_in(f'"{statement.key}"', statement.field)
    if tool:
        return Trace(statement.where, tool.says, value, tool.name or (value if statement.field in ("maker", "system") else ""))
    return Trace(statement.where, "unknown", value, "") if statement.field == "program" else None
