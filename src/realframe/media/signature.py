"""What a file is, from its first bytes alone. Its name is never asked.

The demuxer named here is the only one that FFmpeg may use for the file: it never guesses, so a text file such as an ``ffconcat``
list, which makes FFmpeg open other files, reaches no parser at all.
"""

from dataclasses import dataclass
from typing import Literal

HEAD_BYTES = 4096

_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}  # a QuickTime file need not start with ftyp
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"}
_AVIF_BRANDS = {b"avif", b"avis"}


@dataclass(frozen=True)
class Signature:
    """What the first bytes say.

    Attributes:
        kind: ``image``, ``video`` or ``audio``.
        container: such as ``mp4``, ``mov``, ``mkv``, ``webm``, ``avi``, ``gif``, ``jpeg``, ``png``.
    """

    kind: Literal["image", "video", "audio"]
    container: str


DEMUXERS = {"mp4": "mov", "mov": "mov", "mkv": "matroska", "webm": "matroska", "avi": "avi", "gif": "gif"}
PILLOW_FORMATS = {"jpeg": ("JPEG", "MPO"), "png": ("PNG",), "webp": ("WEBP",), "heif": ("HEIF",), "avif": ("AVIF",), "gif": ("GIF",)}
PILLOW_FORMATS |= {"bmp": ("BMP",), "tiff": ("TIFF",)}


def sniff(head: bytes) -> Signature | None:
    """Return what a file that starts with ``head`` (up to ``HEAD_BYTES``) claims to be, or None where it is nothing known.

    A GIF is ``image`` here; how many pictures it holds is found by reading on.
    """
    return _image(head) or _video(head) or _audio(head)


def _image(head: bytes) -> Signature | None:
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


def _video(head: bytes) -> Signature | None:
    if head[4:8] in _BOXES:
        return Signature("video", "mov" if head[4:8] != b"ftyp" or head[8:12] == b"qt  " else "mp4")
    if head[:4] == b"\x1aE\xdf\xa3":
        return Signature("video", "webm" if b"webm" in head[:64] else "mkv")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return Signature("video", "avi")
    return None


def _audio(head: bytes) -> Signature | None:
    if head.startswith((b"ID3", b"OggS", b"fLaC")) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return Signature("audio", "audio")
    return None
