"""What an image's metadata state: text chunks, EXIF, XMP, IPTC, comments. Its pixels don't matter here."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from PIL import ExifTags, Image, IptcImagePlugin

from bonafide.media.picture import opened
from bonafide.provenance.statement import Statement, keyed, readable
from bonafide.provenance.tools import Field

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


def image_statements(path: Path, container: str) -> Iterator[Statement]:
    """Yield what the metadata of an image state, as far as they can be read. Raises MediaError where not even its header can."""
    if path.stat().st_size > _MOST_BYTES:
        return
    with opened(path, container, _MOST_PIXELS, path) as image:
        for part in (_texts, _xmp, _iptc, _exif, _late_texts):
            yield from readable(part(image))


def _texts(image: Image.Image) -> Iterator[Statement]:
    where = {"PNG": 'PNG text "{}"'}.get(image.format or "", f"{image.format} {{}}")
    for key, value in list(image.info.items()):
        if key == "comment" or (image.format == "PNG" and isinstance(key, str) and isinstance(value, str) and key != _PACKET):
            yield keyed(where, key, _as_text(value))


def _late_texts(image: Image.Image) -> Iterator[Statement]:
    """Yield the texts of a PNG again: they may stand after the pixels too, up to which it has been read."""
    if image.format == "PNG":
        image.load()
        yield from _texts(image)


def _exif(image: Image.Image) -> Iterator[Statement]:
    exif = image.getexif()
    held = {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    for tag in (tag for tag in _EXIF if tag in held):
        encoding = "utf-16-le" if tag in (ExifTags.Base.XPTitle, ExifTags.Base.XPComment) else "utf-8"
        yield Statement(f"EXIF {ExifTags.TAGS[tag]}", _EXIF[tag], _as_text(held[tag], encoding))


def _xmp(image: Image.Image) -> Iterator[Statement]:
    text = _as_text(image.info.get("xmp") or "")[:_XMP_BYTES]
    for found in _PROPERTY.finditer(text):
        value = html.unescape(found["given"] or found["held"] or "")
        yield Statement(f"XMP {found[1]}", _XMP[found[1]] or "source", value)


def _iptc(image: Image.Image) -> Iterator[Statement]:
    for tag, value in (IptcImagePlugin.getiptcinfo(image) or {}).items():  # type: ignore[arg-type]
        if tag in _IPTC:
            name, field = _IPTC[tag]
            yield Statement(f"IPTC {name}", field, _as_text(value[0] if isinstance(value, list) else value))


def _as_text(value: object, encoding: str = "utf-8") -> str:
    """Return a value of metadata as text: EXIF's comments name their encoding first (EXIF 3.0, 4.6.6.3), but not its byte order."""
    if not isinstance(value, bytes):
        return str(value)
    if value.startswith(b"UNICODE\0"):
        value = value[8:]
        encoding = "utf-16-be" if value[:200:2].count(0) > value[1:200:2].count(0) else "utf-16-le"
    return value.removeprefix(b"ASCII\0\0\0").decode(encoding, "replace")
