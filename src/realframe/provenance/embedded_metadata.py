"""Read the metadata of images (text chunks, EXIF, XMP, IPTC, comments) and videos (tags), and interpret its statements of origin."""

import html
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import av
from PIL import ExifTags, Image, IptcImagePlugin

from realframe.media.png_chunks import read_texts
from realframe.media.signature import DEMUXERS
from realframe.media.still_image import open_first
from realframe.media.video_stream import OPEN_OPTIONS
from realframe.provenance.known_tools import FieldKind, find_tool
from realframe.provenance.origin import Trace, clean_text, find_source_type

_log = logging.getLogger(__name__)
_MAX_SEARCHED = 8_000  # characters of a value that are searched for tools
_KEY_KINDS: dict[str, FieldKind] = {
    **dict.fromkeys(("parameters", "prompt", "workflow", "credit", "handler_name", "generation_data", "fooocus_scheme"), "settings"),
    **dict.fromkeys(("sd-metadata", "dream", "invokeai_metadata", "invokeai_graph", "invokeai_workflow"), "settings"),
    **dict.fromkeys(("software", "source", "creator", "creator tool", "encoder", "encoding_tool", "creation_tool"), "program"),
    **dict.fromkeys(("com.apple.quicktime.software", "com.android.capture.application", "writing_application"), "program"),
    **dict.fromkeys(("make", "model", "com.apple.quicktime.make", "com.apple.quicktime.model"), "maker"),
    **dict.fromkeys(("com.android.manufacturer", "com.android.model"), "maker"),
    "aigc": "label",
}
"""The content of free fields (text chunks of PNG, tags of videos), by the key that programs use. Other keys contain prose."""
_MAX_BYTES = 1 << 28  # Pillow reads each chunk of metadata into memory

_EXIF: dict[int, FieldKind] = {
    ExifTags.Base.Make: "maker",
    ExifTags.Base.Model: "maker",
    ExifTags.Base.Software: "program",
    ExifTags.Base.ImageDescription: "prose",
    ExifTags.Base.Artist: "prose",
    ExifTags.Base.XPTitle: "prose",
    ExifTags.Base.XPComment: "prose",
    ExifTags.Base.UserComment: "prose",
}
_IPTC: dict[tuple[int, int], tuple[str, FieldKind]] = {  # IIM 4.2, record 2
    (2, 65): ("originating program", "program"),
    (2, 110): ("credit", "settings"),
    (2, 115): ("source", "settings"),
    (2, 120): ("caption", "prose"),
}
_XMP: dict[str, FieldKind | None] = {
    "DigitalSourceType": None,
    "AISystemUsed": "system",
    "AIGC": "label",
    "CreatorTool": "program",
    "softwareAgent": "program",
    "Credit": "settings",
    "UserComment": "prose",
    "description": "prose",
}
_VIDEO_OPTIONS = OPEN_OPTIONS | {"export_xmp": "1"}  # of FFmpeg's demuxer of MP4 and MOV; the others ignore it
_PACKET = "XML:com.adobe.xmp"  # the text chunk that contains XMP
_XMP_BYTES = 1 << 19
_MAX_VALUE = 4000
# <ns:name>value</ns:name>, the same around an rdf:Alt, ns:name="value", and <ns:name rdf:resource="value"/>. Matched without an XML
# parser: no entity is expanded, and errors elsewhere do not matter.
_PROPERTY = re.compile(
    rf"\b[A-Za-z][\w.-]{{0,40}}:({'|'.join(_XMP)})"
    rf"(?:\s{{1,9}}rdf:resource)?"
    rf"(?:\s{{0,9}}=\s{{0,9}}([\"'])(?P<attribute>[^\"'<>]{{0,{_MAX_VALUE}}})\2"
    rf"|[^<>=]{{0,99}}>\s{{0,99}}(?:<rdf:(?:Alt|Seq|Bag)>\s{{0,99}}<rdf:li[^<>]{{0,99}}>)?(?P<element>[^<]{{1,{_MAX_VALUE}}})<)"
)


@dataclass(frozen=True)
class MetadataStatement:
    """One field of metadata.

    Attributes:
        location: such as ``EXIF Make``.
        kind: of the content; ``source`` for a digital source type.
        value: the content.
        key: the name that the writing program chose; empty if a standard defines the name.
    """

    location: str
    kind: FieldKind | Literal["source"]
    value: str
    key: str = ""


def read_image_metadata(path: Path, container: str, failures: list[str]) -> Iterator[MetadataStatement]:
    """Yield the statements in an image's metadata, as far as they can be read.

    Args:
        path: of the image.
        container: of the image.
        failures: receives what could not be read, as names.

    Raises:
        MediaError: its header cannot be read.
    """
    if path.stat().st_size > _MAX_BYTES:
        failures.append("metadata in a file of this size")
        return
    if container == "png":
        with path.open("rb") as stream:
            yield from skip_unreadable(_read_png_texts(stream), "PNG texts", failures)
    with open_first(path, container, path) as image:
        for name, read in (("comment", _read_comment), ("XMP", _read_xmp), ("IPTC", _read_iptc), ("EXIF", _read_exif)):
            yield from skip_unreadable(read(image), name, failures)


def _read_png_texts(stream: BinaryIO) -> Iterator[MetadataStatement]:
    for key, text in read_texts(stream):
        if key == _PACKET:
            yield from _find_xmp(text)
        else:
            yield statement_for_key('PNG text "{}"', key, text)


def _read_comment(image: Image.Image) -> Iterator[MetadataStatement]:
    if image.format != "PNG" and "comment" in image.info:
        yield statement_for_key(f"{image.format} {{}}", "comment", _decode_text(image.info["comment"]))


def _read_exif(image: Image.Image) -> Iterator[MetadataStatement]:
    exif = image.getexif()
    if not len(exif) and _has_entries(image.info.get("exif") or b""):  # Pillow only warns of a directory that is cut short
        raise ValueError("the EXIF block holds no entry that can be read")
    values = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    for tag in (tag for tag in _EXIF if tag in values):
        encoding = "utf-16-le" if tag in (ExifTags.Base.XPTitle, ExifTags.Base.XPComment) else "utf-8"
        yield MetadataStatement(f"EXIF {ExifTags.TAGS[tag]}", _EXIF[tag], _decode_text(values[tag], encoding))


def _has_entries(block: bytes) -> bool:
    """Return whether the first directory of an EXIF block states entries, or is cut off before it states their number."""
    tiff = block.removeprefix(b"Exif\0\0")
    order: Literal["little", "big"] = "little" if tiff.startswith(b"II") else "big"
    start = int.from_bytes(tiff[4:8], order)
    return bool(block) and tiff[start : start + 2] != b"\0\0"


def _read_xmp(image: Image.Image) -> Iterator[MetadataStatement]:
    yield from _find_xmp(_decode_text(image.info.get("xmp") or ""))


def _find_xmp(text: str) -> Iterator[MetadataStatement]:
    for match in _PROPERTY.finditer(text[:_XMP_BYTES]):
        value = html.unescape(match["attribute"] or match["element"] or "")
        yield MetadataStatement(f"XMP {match[1]}", _XMP[match[1]] or "source", value)


def _read_iptc(image: Image.Image) -> Iterator[MetadataStatement]:
    for tag, value in (IptcImagePlugin.getiptcinfo(image) or {}).items():  # type: ignore[arg-type]
        if tag in _IPTC:
            name, field = _IPTC[tag]
            yield MetadataStatement(f"IPTC {name}", field, _decode_text(value[0] if isinstance(value, list) else value))


def _decode_text(value: object, encoding: str = "utf-8") -> str:
    """Return a metadata value as text. EXIF comments start with the name of their encoding (EXIF 3.0, 4.6.6.3), without its byte order."""
    if not isinstance(value, bytes):
        return str(value)
    if value.startswith(b"UNICODE\0"):
        value = value[8:]
        encoding = "utf-16-be" if value[:200:2].count(0) > value[1:200:2].count(0) else "utf-16-le"
    return value.removeprefix(b"ASCII\0\0\0").decode(encoding, "replace")


def read_video_metadata(path: Path, container: str) -> Iterator[MetadataStatement]:
    """Yield the statements in the tags of a video and its streams. Raises an error of PyAV if its structure cannot be read."""
    with av.open(f"file:{path}", format=DEMUXERS[container], options=_VIDEO_OPTIONS, metadata_errors="replace") as opened:
        for tags in (opened.metadata, *(stream.metadata for stream in opened.streams)):
            for key, value in tags.items():
                if key == "xmp":
                    yield from _find_xmp(value)
                else:
                    yield statement_for_key("{} tag", key, value)


def statement_for_key(location: str, key: str, value: str) -> MetadataStatement:
    """Return the statement under a free ``key``; ``location`` contains braces in place of the key."""
    return MetadataStatement(location.format(clean_text(key)[:40]), _KEY_KINDS.get(key.lower(), "prose"), value, key)


def skip_unreadable(statements: Iterable[MetadataStatement], name: str, failures: list[str]) -> Iterator[MetadataStatement]:
    """Yield statements up to the first that cannot be read; then add ``name`` to ``failures``."""
    try:
        yield from statements
    except Exception as error:  # a parser may raise any error for a hostile file
        _log.debug("%s cannot be read: %r", name, error)
        failures.append(name)


def interpret_statement(statement: MetadataStatement) -> Trace | None:
    """Return the trace that a statement shows; None if it shows nothing about the file's origin."""
    value = clean_text(statement.value)
    if not value:
        return None
    if statement.kind == "source":
        source = find_source_type(statement.value)
        return Trace(statement.location, source.origin if source else "unknown", value, "")
    tool = find_tool(statement.value[:_MAX_SEARCHED], statement.kind) or find_tool(f'"{statement.key}"', statement.kind)
    if tool:
        return Trace(statement.location, tool.origin, value, tool.name or (value if statement.kind in ("maker", "system") else ""))
    return Trace(statement.location, "unknown", value, "") if statement.kind == "program" else None
