"""What a file says of its own origin. It can be forged or stripped: it stands beside the score and never in it.

Text that strangers wrote, fit to be shown.

What the digital source types of the IPTC amount to. Content credentials, XMP and IPTC all use these words.

Source: IPTC NewsCodes, "Digital Source Type" (cv.iptc.org/newscodes/digitalsourcetype), and those that C2PA 2.x adds.
"""

import re
from dataclasses import dataclass
from typing import Literal

OriginKind = Literal["ai-generated", "camera", "edited", "unknown"]
"""What a statement amounts to."""
State = Literal["trusted", "valid", "invalid"]
"""Of content credentials: signed by somebody on the trust list; rightly signed, but by somebody who is not on it; broken or changed."""


@dataclass(frozen=True)
class Credentials:
    """Content credentials: a C2PA manifest (C2PA Technical Specification 2.x).

    Attributes:
        state: of the signature and the hashes.
        says: of the active manifest's actions and digital source type.
        signed_by: the certificate's subject; empty where unknown.
        generator: the program that made the claim; empty where unknown.
        signed_at: by the signature's time stamp, ISO 8601; empty where it has none.
        problems: what the validation found wrong, in words.
    """

    state: State
    says: OriginKind
    signed_by: str
    generator: str
    signed_at: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """One thing in a file's metadata that tells of its origin.

    Attributes:
        where: such as ``PNG text "parameters"``, ``XMP DigitalSourceType``, ``EXIF Make``, ``encoder tag``.
        says: what it amounts to.
        value: what stands there, at most 200 characters, without control characters.
        tool: the program or camera that it names; empty where it names none that we know.
    """

    where: str
    says: OriginKind
    value: str
    tool: str


@dataclass(frozen=True)
class Provenance:
    """All that a file says of its origin.

    Attributes:
        credentials: None where the file carries none.
        traces: in the order in which they were found; at most 20.
        sentence: the same for a layman, one or two sentences; also where nothing was found.
    """

    credentials: Credentials | None
    traces: tuple[Trace, ...]
    sentence: str


LONGEST = 200
# control characters, half characters, and those that are not seen or turn the reading direction
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def plain(text: object) -> str:
    """Return ``text`` on one line, at most 200 characters, without control characters."""
    shown = " ".join(_CONTROL.sub(" ", str(text)[: 20 * LONGEST]).split())
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


@dataclass(frozen=True)
class SourceType:
    """What a digital source type amounts to.

    Attributes:
        says: in one word.
        words: what becomes of a file of that type, such as ``was made by AI``.
    """

    says: OriginKind
    words: str


_SOURCES = {
    "trainedalgorithmicmedia": SourceType("ai-generated", "was made by AI"),
    "trainedalgorithmicdata": SourceType("ai-generated", "was made by AI"),
    "compositewithtrainedalgorithmicmedia": SourceType("ai-generated", "was made or altered in part by AI"),
    "compositesynthetic": SourceType("ai-generated", "was put together from parts of which at least one is synthetic"),
    "digitalcapture": SourceType("camera", "was taken by a camera"),
    "computationalcapture": SourceType("camera", "was taken by a camera that computed the picture from several exposures"),
    "compositecapture": SourceType("edited", "was put together from several photographs"),
    "negativefilm": SourceType("camera", "was scanned from a film"),
    "positivefilm": SourceType("camera", "was scanned from a film"),
    "print": SourceType("camera", "was scanned from a print"),
    "humanedits": SourceType("edited", "was edited by a person"),
    "minorhumanedits": SourceType("edited", "was edited a little by a person"),
    "algorithmicallyenhanced": SourceType("edited", "was enhanced by a program"),
    "composite": SourceType("edited", "was put together from several parts"),
    "screencapture": SourceType("unknown", "was recorded from a screen"),
    "virtualrecording": SourceType("unknown", "was recorded in a virtual world"),
    "digitalcreation": SourceType("unknown", "was drawn by a person with a program"),
    "digitalart": SourceType("unknown", "was drawn by a person with a program"),
    "softwareimage": SourceType("unknown", "was made by a program"),
    "algorithmicmedia": SourceType("unknown", "was computed by a program without trained AI"),
    "datadrivenmedia": SourceType("unknown", "was drawn by a program from data"),
}


def source_of(name: str) -> SourceType | None:
    """Return what the source type ``name`` (its URI or its last part) amounts to; None where it is no known one."""
    return _SOURCES.get(name.strip().rstrip("/").rsplit("/", 1)[-1].lower())
