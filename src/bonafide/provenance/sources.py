"""What the digital source types of the IPTC amount to. Content credentials, XMP and IPTC all use these words.

Source: IPTC NewsCodes, "Digital Source Type" (cv.iptc.org/newscodes/digitalsourcetype), and those that C2PA 2.x adds.
"""

from dataclasses import dataclass

from bonafide.provenance.provenance import Says


@dataclass(frozen=True)
class Source:
    """What a digital source type amounts to.

    Attributes:
        says: in one word.
        words: what becomes of a file of that type, such as ``was made by AI``.
    """

    says: Says
    words: str


_SOURCES = {
    "trainedalgorithmicmedia": Source("ai-generated", "was made by AI"),
    "trainedalgorithmicdata": Source("ai-generated", "was made by AI"),
    "compositewithtrainedalgorithmicmedia": Source("ai-generated", "was made or altered in part by AI"),
    "compositesynthetic": Source("ai-generated", "was put together from parts of which at least one is synthetic"),
    "digitalcapture": Source("camera", "was taken by a camera"),
    "computationalcapture": Source("camera", "was taken by a camera that computed the picture from several exposures"),
    "compositecapture": Source("edited", "was put together from several photographs"),
    "negativefilm": Source("camera", "was scanned from a film"),
    "positivefilm": Source("camera", "was scanned from a film"),
    "print": Source("camera", "was scanned from a print"),
    "humanedits": Source("edited", "was edited by a person"),
    "minorhumanedits": Source("edited", "was edited a little by a person"),
    "algorithmicallyenhanced": Source("edited", "was enhanced by a program"),
    "composite": Source("edited", "was put together from several parts"),
    "screencapture": Source("unknown", "was recorded from a screen"),
    "virtualrecording": Source("unknown", "was recorded in a virtual world"),
    "digitalcreation": Source("unknown", "was drawn by a person with a program"),
    "digitalart": Source("unknown", "was drawn by a person with a program"),
    "softwareimage": Source("unknown", "was made by a program"),
    "algorithmicmedia": Source("unknown", "was computed by a program without trained AI"),
    "datadrivenmedia": Source("unknown", "was drawn by a program from data"),
}


def source_of(name: str) -> Source | None:
    """Return what the source type ``name`` (its URI or its last part) amounts to; None where it is no known one."""
    return _SOURCES.get(name.strip().rstrip("/").rsplit("/", 1)[-1].lower())
