"""Define the origin that a file states, the checks of a file and their three states, and interpret IPTC digital source types.

The stated origin can be forged or removed, so it is shown next to the score and never changes it. Content credentials, XMP and IPTC all
use the digital source types of IPTC NewsCodes (cv.iptc.org/newscodes/digitalsourcetype) and those that C2PA 2.x adds.
"""

import re
from dataclasses import dataclass
from typing import Literal

OriginKind = Literal["ai-generated", "camera", "edited", "unknown"]
"""The kind of origin that a statement shows."""
CredentialState = Literal["trusted", "valid", "invalid"]
"""The state of content credentials: signed by a signer on the trust list; validly signed by another signer; broken or changed."""
CheckName = Literal["content-credentials", "metadata", "tools", "damage"]
"""What is looked for in a file: content credentials, statements of its origin in its metadata, names of programs or cameras in them, and
damage of its picture data."""
CheckState = Literal["found", "not-found", "could-not-check"]
"""The state of a check. ``not-found`` says that everything was read in which it could stand."""


@dataclass(frozen=True)
class FileCheck:
    """The outcome of a check of a file, beside its score.

    Attributes:
        name: what was looked for.
        state: whether it was found.
        reason: why it could not be checked, or what of it could not be read, in a sentence; else empty.
    """

    name: CheckName
    state: CheckState
    reason: str = ""


@dataclass(frozen=True)
class Credentials:
    """Content credentials: a C2PA manifest (C2PA Technical Specification 2.x).

    Attributes:
        state: result of validating the signature and the hashes.
        origin: from the actions and digital source type of the active manifest.
        signed_by: subject of the certificate; empty if unknown.
        generator: the program that made the claim; empty if unknown.
        signed_at: time stamp of the signature, ISO 8601; empty if it has none.
        problems: of the validation, in words.
    """

    state: CredentialState
    origin: OriginKind
    signed_by: str
    generator: str
    signed_at: str
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Trace:
    """One entry in a file's metadata that shows something about its origin.

    Attributes:
        location: such as ``PNG text "parameters"``, ``XMP DigitalSourceType``, ``EXIF Make``, ``encoder tag``.
        origin: the kind of origin that it shows.
        value: the content of the entry, at most 200 characters, without control characters.
        tool: the known program or camera that it names; empty if none.
    """

    location: str
    origin: OriginKind
    value: str
    tool: str


@dataclass(frozen=True)
class Provenance:
    """What a file states about its origin.

    Attributes:
        credentials: content credentials; None if none were found or none could be read.
        traces: from the metadata, in the order of the file; at most 20.
        sentence: a description for laypeople, one or two sentences; also if the file states nothing.
        checks: of the content credentials, the metadata and the tools: whether there is nothing, or it could not be read.
    """

    credentials: Credentials | None
    traces: tuple[Trace, ...]
    sentence: str
    checks: tuple[FileCheck, ...]


MAX_LENGTH = 200
# control characters, surrogates, invisible characters and those that change the reading direction
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]+")


def clean_text(text: object) -> str:
    """Return ``text`` safe to show: on one line, at most 200 characters, without control characters."""
    cleaned = " ".join(_CONTROL.sub(" ", str(text)[: 20 * MAX_LENGTH]).split())
    return cleaned if len(cleaned) <= MAX_LENGTH else cleaned[: MAX_LENGTH - 1] + "…"


@dataclass(frozen=True)
class SourceType:
    """The meaning of a digital source type.

    Attributes:
        origin: the kind of origin.
        description: a predicate about a file of this type, such as ``was made by AI``.
    """

    origin: OriginKind
    description: str


_SOURCE_TYPES = {
    "trainedalgorithmicmedia": SourceType("ai-generated", "was made by AI"),
    "trainedalgorithmicdata": SourceType("ai-generated", "was made by AI"),
    "compositewithtrainedalgorithmicmedia": SourceType("ai-generated", "was made or altered in part by AI"),
    "compositesynthetic": SourceType("ai-generated", "was composed of parts, at least one of which is synthetic"),
    "digitalcapture": SourceType("camera", "was taken by a camera"),
    "computationalcapture": SourceType("camera", "was taken by a camera that computed the picture from several exposures"),
    "compositecapture": SourceType("edited", "was composed of several photographs"),
    "negativefilm": SourceType("camera", "was scanned from a film"),
    "positivefilm": SourceType("camera", "was scanned from a film"),
    "print": SourceType("camera", "was scanned from a print"),
    "humanedits": SourceType("edited", "was edited by a person"),
    "minorhumanedits": SourceType("edited", "was slightly edited by a person"),
    "algorithmicallyenhanced": SourceType("edited", "was enhanced by a program"),
    "composite": SourceType("edited", "was composed of several parts"),
    "screencapture": SourceType("unknown", "was recorded from a screen"),
    "virtualrecording": SourceType("unknown", "was recorded in a virtual world"),
    "digitalcreation": SourceType("unknown", "was drawn by a person with a program"),
    "digitalart": SourceType("unknown", "was drawn by a person with a program"),
    "softwareimage": SourceType("unknown", "was made by a program"),
    "algorithmicmedia": SourceType("unknown", "was computed by a program without trained AI"),
    "datadrivenmedia": SourceType("unknown", "was drawn by a program from data"),
}


def find_source_type(name: str) -> SourceType | None:
    """Return the meaning of the source type ``name`` (its URI or the last part of it); None if it is not known."""
    return _SOURCE_TYPES.get(name.strip().rstrip("/").rsplit("/", 1)[-1].lower())
