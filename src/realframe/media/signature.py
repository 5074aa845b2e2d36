"""Detect the format of a file from its first bytes; its name is ignored.

FFmpeg may open a file only with the demuxer that ``DEMUXERS`` names for its format, and never guesses one. So a text file such as an
``ffconcat`` list, which would make FFmpeg open other files, reaches no parser. ``limits.py`` refuses files without a known signature.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HEAD_BYTES = 4096

_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}  # a QuickTime file need not start with ftyp
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_AVIF_BRANDS = {b"avif", b"avis"}
_CANON_RAW_BRAND = b"crx "  # a raw file (CR3), in which FFmpeg would find the preview
_OGG_VIDEO = (b"\x80theora", b"OVP80")  # the headers of Theora and VP8; all streams of an Ogg file begin on its first pages


@dataclass(frozen=True)
class Signature:
    """The format that the first bytes of a file show.

    Attributes:
        kind: ``image``, ``video`` or ``audio``.
        container: such as ``mp4``, ``mov``, ``mkv``, ``webm``, ``avi``, ``gif``, ``jpeg``, ``png``.
    """

    kind: Literal["image", "video", "audio"]
    container: str


DEMUXERS = {"mp4": "mov", "mov": "mov", "mkv": "matroska", "webm": "matroska", "avi": "avi", "gif": "gif", "ogg": "ogg"}
PILLOW_FORMATS = {"jpeg": ("JPEG", "MPO"), "png": ("PNG",), "webp": ("WEBP",), "heif": ("HEIF",), "avif": ("AVIF",), "gif": ("GIF",)}
PILLOW_FORMATS |= {"bmp": ("BMP",), "tiff": ("TIFF",)}


MEDIA_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "ogg": "video/ogg",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "heif": "image/heif",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
}
"""The media type of each container, as browsers and C2PA know it; the only table of media types."""


_SUFFIXES = """.mp4 .m4v .3gp .mov .qt .mkv .webm .avi .ogv .ogg .gif .jpg .jpeg .jpe .jfif .mpo .png .apng .webp .heic .heif .hif .avif
    .bmp .dib .tif .tiff"""
MEDIA_SUFFIXES = frozenset(_SUFFIXES.split())
"""The suffixes that stored media files may have, in lower case: no program runs such a file, whatever it contains."""


def read_signature(path: Path) -> Signature | None:
    """Return the format of a file, or None if it is not known. Raises OSError."""
    with path.open("rb") as stream:
        return detect_signature(stream.read(HEAD_BYTES))


def detect_signature(head: bytes) -> Signature | None:
    """Return the format of a file that starts with ``head`` (up to ``HEAD_BYTES``), or None if it is not known.

    A GIF is an ``image`` here; only reading the whole file shows whether it has several pictures.
    """
    return _match_image(head) or _match_video(head) or _match_audio(head)


def _match_image(head: bytes) -> Signature | None:
    starts = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png", b"GIF87a": "gif", b"GIF89a": "gif", b"II*\0": "tiff", b"MM\0*": "tiff"}
    for start, container in starts.items():
        if head.startswith(start):
            return Signature("image", container)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Signature("image", "webp")
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return Signature("image", "bmp")
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS | _AVIF_BRANDS:
        return Signature("image", "avif" if head[8:12] in _AVIF_BRANDS or b"avif" in head[16:40] else "heif")
    return None


def _match_video(head: bytes) -> Signature | None:
    if head[4:8] in _BOXES and head[8:12] != _CANON_RAW_BRAND:
        return Signature("video", "mov" if head[4:8] != b"ftyp" or head[8:12] == b"qt  " else "mp4")
    if head[:4] == b"\x1aE\xdf\xa3":
        return Signature("video", "webm" if b"webm" in head[:64] else "mkv")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Signature("video", "avi")
    if head[:4] == b"OggS" and any(mark in head for mark in _OGG_VIDEO):
        return Signature("video", "ogg")
    return None


def _match_audio(head: bytes) -> Signature | None:
    if head.startswith((b"ID3", b"OggS", b"fLaC")) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return Signature("audio", "audio")
    return None
