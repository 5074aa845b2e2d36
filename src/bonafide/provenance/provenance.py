"""What a file says of its own origin. It can be forged or stripped: it stands beside the score and never in it."""

from dataclasses import dataclass
from typing import Literal

Says = Literal["ai-generated", "camera", "edited", "unknown"]
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
    says: Says
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
    says: Says
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
