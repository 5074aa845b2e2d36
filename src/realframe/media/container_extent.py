"""Compare the length of a video file with the length that its outermost structure states: what is missing, and what follows its end.

Sources: box sizes after ISO/IEC 14496-12 (mov), element sizes after RFC 8794 (matroska), chunk sizes after Microsoft's RIFF (avi), the
blocks of GIF89a. A file in Ogg states no length.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from realframe.errors import UndecodableError
from realframe.media.limits import MAX_DAMAGED_SHARE, contain_failures
from realframe.media.signature import DEMUXERS

_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_MATROSKA_HEADER = b"\x1aE\xdf\xa3"
# What follows the end of a file may look like a box that is longer than the file, such as the tag "TAGMy Clip". Only these count as cut.
_MOV_BOXES = frozenset(b"ftyp moov mdat free skip wide uuid meta moof mfra sidx ssix styp udta pdin pnot PICT prft emsg imda".split())
_GIF_PICTURE, _GIF_EXTENSION, _GIF_TRAILER = 0x2C, 0x21, 0x3B
_BLANK = b"\0\r\n "
_CHECKED_BYTES = 1 << 16


@dataclass(frozen=True)
class FileExtent:
    """How the length of a file compares with what its structure states.

    Attributes:
        missing_share: share of the file that is missing at its end; 0 where nothing is, or where it states no length.
        extra_bytes: bytes behind its end, such as a tag or the footer of a website; 0 where they are blank.
    """

    missing_share: float
    extra_bytes: int


def measure_extent(path: Path, container: str) -> FileExtent:
    """Compare the length of a video file in ``container`` with the length that its outermost structure states.

    Raises:
        UndecodableError: ``MAX_DAMAGED_SHARE`` of it or more is missing, or an unknown share.
        DecoderCrashError: its structure makes no sense.
    """
    with contain_failures(path), path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stated = _find_end(stream, DEMUXERS[container])
        missing = max(0, stated - size)
        extra_bytes = size - stated if 0 < stated < size and _has_content(stream, stated) else 0
    if missing and container == "gif":  # it does not state its length
        raise UndecodableError(path, "is cut short: the mark at the end of a GIF is missing", "Copy or download it again.")
    if missing >= MAX_DAMAGED_SHARE * (size + missing) and missing:
        reason = f"is cut short: its structure states {stated:,} bytes, and it has {size:,}"
        raise UndecodableError(path, reason, "Copy or download it again.")
    return FileExtent(missing / (size + missing) if missing else 0.0, extra_bytes)


def _find_end(stream: BinaryIO, demuxer: str) -> int:
    """Return where the structure of a file ends, bytes from its start, which may be behind the end of the file; 0 where it is unknown."""
    finders = {"mov": _mov_end, "matroska": _matroska_end, "avi": _avi_end, "gif": _gif_end}
    return finders[demuxer](stream) if demuxer in finders else 0


def _has_content(stream: BinaryIO, start: int) -> bool:
    stream.seek(start)
    return bool(stream.read(_CHECKED_BYTES).strip(_BLANK))


def _mov_end(stream: BinaryIO) -> int:
    end, length = 0, stream.seek(0, os.SEEK_END)
    stream.seek(0)
    while end < length and len(header := stream.read(16)) >= 8:
        size, kind = struct.unpack(">I", header[:4])[0], header[4:8]
        if size == 0 and kind in _MOV_BOXES:
            return length
        if size == 1 and len(header) == 16:
            size = struct.unpack(">Q", header[8:])[0]
        if size < 8 or not kind.isascii() or (end + size > length and kind not in _MOV_BOXES):
            return end  # no box: padding, a tag, a footer
        end += size
        stream.seek(min(end, length))  # a size may be too large for the operating system
    return end


def _matroska_end(stream: BinaryIO) -> int:
    position = 0
    while True:
        stream.seek(position)
        head = stream.read(12)
        if len(head) < 12:
            return 0
        size, width = _ebml_size(head[4:])
        if head[:4] == _MATROSKA_SEGMENT:
            return 0 if size is None else position + 4 + width + size
        if size is None or head[:4] != _MATROSKA_HEADER:
            return 0
        position += 4 + width + size


def _ebml_size(data: bytes) -> tuple[int | None, int]:
    """Return the value (None for "unknown") and the width in bytes of the variable-length size at the start of ``data``."""
    width = 9 - data[0].bit_length()
    if width > 8:
        return None, 1
    bits = 7 * width
    value = int.from_bytes(data[:width], "big") & ((1 << bits) - 1)
    return (None if value == (1 << bits) - 1 else value), width


def _avi_end(stream: BinaryIO) -> int:
    """Return the end of the first RIFF list and of those that continue it (OpenDML)."""
    end = 0
    while True:
        stream.seek(end)
        head = stream.read(12)
        if end and (head[:4] != b"RIFF" or head[8:12] != b"AVIX"):
            return end
        size = struct.unpack("<I", head[4:8])[0]
        if size in (0, 0xFFFFFFFF):
            return 0  # a recorder that was killed leaves 0
        end += 8 + int(size) + size % 2


def _gif_end(stream: BinaryIO) -> int:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 64))
    if stream.read().rstrip(_BLANK).endswith(b";"):
        return size
    return _walk_gif(stream) or size + 1


def _walk_gif(stream: BinaryIO) -> int:
    """Return the end of a GIF from its blocks; 0 where it ends before its trailer."""
    stream.seek(10)
    _skip_colors(stream, 2)
    while head := stream.read(1):
        if head[0] == _GIF_TRAILER:
            return stream.tell()
        if head[0] == _GIF_PICTURE:
            stream.seek(8, os.SEEK_CUR)
            _skip_colors(stream, 0)
        elif head[0] != _GIF_EXTENSION:
            return 0
        stream.seek(1, os.SEEK_CUR)  # the code size of a picture, the label of an extension
        while length := stream.read(1):
            if not length[0]:
                break
            stream.seek(length[0], os.SEEK_CUR)
    return 0


def _skip_colors(stream: BinaryIO, gap: int) -> None:
    """Skip a color table, whose size is in the next byte, and ``gap`` bytes before it."""
    flags = stream.read(1)
    stream.seek(gap + (3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0), os.SEEK_CUR)
