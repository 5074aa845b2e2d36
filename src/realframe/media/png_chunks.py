"""Read the chunks of a PNG (ISO/IEC 15948): repair its end, shorten long texts, and read its texts and its HDR transfer.

Pillow refuses a PNG with a text of more than 1 MiB, as ComfyUI writes with its workflows. No pixel depends on a text, so long texts are
shortened before Pillow reads the file, and the origin reader reads the start of each text itself.
"""

import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import BinaryIO

from realframe.media.limits import MAX_DAMAGED_SHARE

TEXT_KINDS = frozenset((b"tEXt", b"zTXt", b"iTXt"))
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ANCILLARY = 0x20  # bit of the first letter of a chunk's name
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_MAX_TEXT = 1 << 20  # bytes of one text; Pillow's own limit
_MAX_TEXTS = 1 << 25  # bytes of all texts together; half of Pillow's own limit
_MAX_CHUNKS = 100_000  # of a file whose texts are read
_SHORT_TEXT = b"..."
_READ_TEXT = 1 << 19  # bytes of a text that the origin reader sees
_READ_CHUNK = 1 << 25  # bytes of a text chunk that are read for it

Chunk = tuple[bytes, bytes]
"""The kind and the content of a chunk."""


def repair_png(data: bytes, max_pixels: int) -> tuple[bytes, float | None]:
    """Return a PNG that Pillow can decode, and the share of its pixels that are lost: 1 where it is unknown, None where it is whole."""
    if has_long_text(BytesIO(data)):
        data = shorten_texts(data)
    chunks, is_complete, has_wrong_text = [], False, False
    position = len(_SIGNATURE)
    while not is_complete and position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        body, end = data[position + 8 : position + 8 + length], position + 12 + length
        is_whole = end <= len(data)
        if is_whole and zlib.crc32(kind + body) != int.from_bytes(data[end - 4 : end]):
            if not kind[0] & _ANCILLARY:
                return data, 1.0
            has_wrong_text = True  # such as a comment: no pixel depends on it
        else:
            chunks.append((kind, body))
        is_complete = is_whole and kind == b"IEND"
        position = end
    if not is_complete:
        return _complete_png(data, chunks, max_pixels)
    return (_join_png(chunks), 0.0) if has_wrong_text else (data, None)


def has_long_text(stream: BinaryIO) -> bool:
    """Return whether a PNG has texts that Pillow would refuse; its pixels are not read."""
    total = 0
    for kind, body in _iter_chunks(stream, TEXT_KINDS):
        total += (size := _measure_text(kind, body))
        if size > _MAX_TEXT or total > _MAX_TEXTS:
            return True
    return False


def shorten_texts(data: bytes) -> bytes:
    """Return a PNG in which each text that Pillow would refuse is shortened, with its keyword; nothing else is changed."""
    parts, position, total = [data[: len(_SIGNATURE)]], len(_SIGNATURE), 0
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4]), data[position + 4 : position + 8]
        part = data[position : position + 12 + length]
        if kind in TEXT_KINDS:
            body = part[8 : 8 + length]
            size = _measure_text(kind, body)
            if size > _MAX_TEXT or total + size > _MAX_TEXTS:
                part = _join_chunk(b"tEXt", body.partition(b"\0")[0] + b"\0" + _SHORT_TEXT)
            else:
                total += size
        parts.append(part)
        position += 12 + length
    return b"".join([*parts, data[position:]])


def _measure_text(kind: bytes, body: bytes) -> int:
    """Return the bytes of a text chunk after decompression, at most a little more than ``_MAX_TEXT``."""
    return max(len(body), len(_decompress_text(kind, body, _MAX_TEXT + 1)[1])) if len(body) > _MAX_TEXT // 1032 else len(body)


def _decompress_text(kind: bytes, body: bytes, limit: int) -> tuple[bytes, bytes]:
    """Return the keyword of a text chunk and at most ``limit`` bytes of its text."""
    keyword, _, rest = body.partition(b"\0")
    is_compressed = kind == b"zTXt"
    if is_compressed:
        rest = rest[1:]
    elif kind == b"iTXt":
        is_compressed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if not is_compressed:
        return keyword, rest[:limit]
    try:
        return keyword, zlib.decompressobj().decompress(rest, limit)
    except zlib.error:
        return keyword, b""


def read_texts(stream: BinaryIO) -> Iterator[tuple[str, str]]:
    """Yield the keyword and the start of each text of a PNG, also of those behind its pixels, which are not read."""
    for kind, body in _iter_chunks(stream, TEXT_KINDS):
        keyword, text = _decompress_text(kind, body, _READ_TEXT)
        yield keyword.decode("latin-1"), text.decode("utf-8" if kind == b"iTXt" else "latin-1", "replace")


def read_transfer(stream: BinaryIO) -> int:
    """Return the transfer characteristics (ITU-T H.273) that a PNG states for its pixels; 0 where it states none."""
    return next((body[1] for _, body in _iter_chunks(stream, frozenset((b"cICP",)), stop=b"IDAT") if len(body) == 4), 0)


def _iter_chunks(stream: BinaryIO, kinds: frozenset[bytes], stop: bytes = b"IEND") -> Iterator[Chunk]:
    """Yield the chunks of some kinds up to the first of the kind ``stop``."""
    position = len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        stream.seek(position)
        head = stream.read(8)
        length, kind = int.from_bytes(head[:4]), head[4:]
        if len(head) < 8 or kind == stop:
            return
        if kind in kinds:
            yield kind, stream.read(min(length, _READ_CHUNK))
        position += 12 + length


def _complete_png(data: bytes, chunks: list[Chunk], max_pixels: int) -> tuple[bytes, float]:
    """Return a PNG that is cut short with its missing rows in black, and their share: 1 where it is unknown."""
    kind, header = chunks[0] if chunks else (b"", b"")
    if kind != b"IHDR" or len(header) != 13 or header[12]:  # the rows of an interlaced PNG are spread over the file
        return data, 1.0
    width, height = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    if not 0 < width * height <= max_pixels:
        return data, 1.0
    row_bytes = 1 + -(-width * header[8] * _CHANNELS.get(header[9], 0) // 8)
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    try:
        rows = zlib.decompressobj().decompress(packed, height * row_bytes)
    except zlib.error:
        return data, 1.0
    row_count = len(rows) // row_bytes
    lost = 1 - row_count / height
    if lost >= MAX_DAMAGED_SHARE:
        return data, lost
    filled = rows[: row_count * row_bytes] + bytes((height - row_count) * row_bytes)
    other_chunks = [(kind, body) for kind, body in chunks if kind not in (b"IDAT", b"IEND")]
    return _join_png([*other_chunks, (b"IDAT", zlib.compress(filled, 1)), (b"IEND", b"")]), lost


def _join_png(chunks: Iterable[Chunk]) -> bytes:
    return _SIGNATURE + b"".join(_join_chunk(kind, body) for kind, body in chunks)


def _join_chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)
