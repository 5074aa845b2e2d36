"""What stands in a file's metadata, and what it amounts to.

What an image's metadata state: text chunks, EXIF, XMP, IPTC, comments. Its pixels don't matter here.

What a video's tags state, those of the file and those of its streams. Only its structure is read.
"""

import html
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from PIL import ExifTags, Image, IptcImagePlugin

from realframe.media.signature import DEMUXERS
from realframe.media.still_image import opened
from realframe.media.video_stream import OPEN_OPTIONS
from realframe.provenance.known_tools import Field, tool_in
from realframe.provenance.origin import Trace, plain, source_of

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
class MetadataStatement:
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


def keyed(where: str, key: str, value: str) -> MetadataStatement:
    """Return the statement that stands under a free ``key``; in ``where`` the braces stand for the key."""
    return MetadataStatement(where.format(plain(key)[:40]), _KEYS.get(key.lower(), "prose"), value, key)


def readable(statements: Iterable[MetadataStatement]) -> Iterator[MetadataStatement]:
    """Yield ``statements`` as far as they can be read."""
    try:
        yield from statements
    except Exception as error:  # what a parser makes of a hostile file is on no list
        _log.debug("some metadata can't be read: %r", error)


def judged(statement: MetadataStatement) -> Trace | None:
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


_MOST_BYTES = 1 << 28  # Pillow holds each chunk of metadata in memory
_MOST_PIXELS = 89_000_000  # above it Pillow warns; the pictures that a detector takes are smaller

_EXIF: dict[int, Field] = {
    ExifTags.Base.Make: "maker",
    ExifTags.Base.Model: "maker",
    ExifTags.Base.Software: "program",
    ExifTags.Base.ImageDescription: "prose",
    ExifTags.Base.Artist: "prose",
    ExifTags.Base.XPTitle: "prose",
    ExifTags.Base.XPComment: "prose",
    ExifTags.Base.UserComment: "prose",
}
_IPTC: dict[tuple[int, int], tuple[str, Field]] = {  # IIM 4.2, record 2
    (2, 65): ("originating program", "program"),
    (2, 110): ("credit", "settings"),
    (2, 115): ("source", "settings"),
    (2, 120): ("caption", "prose"),
}
_XMP: dict[str, Field | None] = {
    "DigitalSourceType": None,
    "AISystemUsed": "system",
    "AIGC": "label",
    "CreatorTool": "program",
    "softwareAgent": "program",
    "Credit": "settings",
    "UserComment": "prose",
    "description": "prose",
}
_PACKET = "XML:com.adobe.xmp"  # the text chunk in which XMP stands
_XMP_BYTES = 1 << 19
_LONGEST = 4000
# <ns:name>value</ns:name>, the same around an rdf:Alt, ns:name="value", and <ns:name rdf:resource="value"/>. Taken without an XML parser:
# nothing is expanded, and what is broken elsewhere does no harm here.
_PROPERTY = re.compile(
    rf"\b[A-Za-z][\w.-]{{0,40}}:({'|'.join(_XMP)})"
    rf"(?:\s{{1,9}}rdf:resource)?"
    rf"(?:\s{{0,9}}=\s{{0,9}}([\"'])(?P<given>[^\"'<>]{{0,{_LONGEST}}})\2"
    rf"|[^<>=]{{0,99}}>\s{{0,99}}(?:<rdf:(?:Alt|Seq|Bag)>\s{{0,99}}<rdf:li[^<>]{{0,99}}>)?(?P<held>[^<]{{1,{_LONGEST}}})<)"
)


def image_statements(path: Path, container: str) -> Iterator[MetadataStatement]:
    """Yield what the metadata of an image state, as far as they can be read. Raises MediaError where not even its header can."""
    if path.stat().st_size > _MOST_BYTES:
        return
    with opened(path, container, _MOST_PIXELS, path) as image:
        for part in (_texts, _xmp, _iptc, _exif, _late_texts):
            yield from readable(part(image))


def _texts(image: Image.Image) -> Iterator[MetadataStatement]:
    where = {"PNG": 'PNG text "{}"'}.get(image.format or "", f"{image.format} {{}}")
    for key, value in list(image.info.items()):
        if key == "comment" or (image.format == "PNG" and isinstance(key, str) and isinstance(value, str) and key != _PACKET):
            yield keyed(where, key, _as_text(value))


def _late_texts(image: Image.Image) -> Iterator[MetadataStatement]:
    """Yield the texts of a PNG again: they may stand after the pixels too, up to which it has been read."""
    if image.format == "PNG":
        image.load()
        yield from _texts(image)


def _exif(image: Image.Image) -> Iterator[MetadataStatement]:
    exif = image.getexif()
    held = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    for tag in (tag for tag in _EXIF if tag in held):
        encoding = "utf-16-le" if tag in (ExifTags.Base.XPTitle, ExifTags.Base.XPComment) else "utf-8"
        yield MetadataStatement(f"EXIF {ExifTags.TAGS[tag]}", _EXIF[tag], _as_text(held[tag], encoding))


def _xmp(image: Image.Image) -> Iterator[MetadataStatement]:
    text = _as_text(image.info.get("xmp") or "")[:_XMP_BYTES]
    for found in _PROPERTY.finditer(text):
        value = html.unescape(found["given"] or found["held"] or "")
        yield MetadataStatement(f"XMP {found[1]}", _XMP[found[1]] or "source", value)


def _iptc(image: Image.Image) -> Iterator[MetadataStatement]:
    for tag, value in (IptcImagePlugin.getiptcinfo(image) or {}).items():  # type: ignore[arg-type]
        if tag in _IPTC:
            name, field = _IPTC[tag]
            yield MetadataStatement(f"IPTC {name}", field, _as_text(value[0] if isinstance(value, list) else value))


def _as_text(value: object, encoding: str = "utf-8") -> str:
    """Return a value of metadata as text: EXIF's comments name their encoding first (EXIF 3.0, 4.6.6.3), but not its byte order."""
    if not isinstance(value, bytes):
        return str(value)
    if value.startswith(b"UNICODE\0"):
        value = value[8:]
        encoding = "utf-16-be" if value[:200:2].count(0) > value[1:200:2].count(0) else "utf-16-le"
    return value.removeprefix(b"ASCII\0\0\0").decode(encoding, "replace")


def video_statements(path: Path, container: str) -> Iterator[MetadataStatement]:
    """Yield what the tags of a video state. Raises an error of FFmpeg's where its structure can't be read."""
    with av.open(f"file:{path}", format=DEMUXERS[container], options=OPEN_OPTIONS, metadata_errors="replace") as opened:
        for tags in (opened.metadata, *(stream.metadata for stream in opened.streams)):
            for key, value in tags.items():
                yield keyed("{} tag", key, value)
