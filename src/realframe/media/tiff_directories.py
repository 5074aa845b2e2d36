"""Find the picture of a TIFF that a viewer shows (TIFF 6.0; TIFF/EP and DNG 1.7 for cameras' raw files).

Cameras and raw converters put a small preview first and the full picture into a sub-directory. The preview is never taken for the picture.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from realframe.errors import UndecodableError

_MAX_DIRECTORIES = 1024
_WIDTH, _HEIGHT, _PHOTOMETRIC, _ORIENTATION, _SUB_DIRECTORIES = 256, 257, 262, 274, 330
_NEW_SUBFILE, _OLD_SUBFILE, _REDUCED, _MASK, _OLD_REDUCED = 254, 255, 1, 4, 2
_SENSOR_DATA = (32803, 34892)  # color filter array, linear raw
_CANON_RAW = b"CR\x02"
_TYPES = {1: "B", 3: "H", 4: "I", 13: "I"}
_NEEDED = {_WIDTH, _HEIGHT, _PHOTOMETRIC, _ORIENTATION, _SUB_DIRECTORIES, _NEW_SUBFILE, _OLD_SUBFILE}


@dataclass(frozen=True)
class MainPicture:
    """The picture of a TIFF that a viewer shows.

    Attributes:
        offset: of its directory; 0 where it is the first one, which is opened as it is.
        orientation: EXIF orientation that the first directory states for it; 0 where its own counts.
        page_count: pictures that a viewer shows, by turning pages.
    """

    offset: int
    orientation: int
    page_count: int = 1

    def select(self, source: Path | BinaryIO) -> Path | BinaryIO:
        """Return a file whose first picture is this one: the file itself where it is."""
        if not self.offset:
            return source
        data = bytearray(source.read_bytes() if isinstance(source, Path) else _read(source))
        data[4:8] = struct.pack("<I" if data[:2] == b"II" else ">I", self.offset)
        return BytesIO(bytes(data))


@dataclass(frozen=True)
class _Directory:
    offset: int
    is_page: bool  # of the chain of pages, not a sub-directory of one
    values: dict[int, tuple[int, ...]]

    def get(self, tag: int) -> int:
        return next(iter(self.values.get(tag, ())), 0)

    @property
    def pixel_count(self) -> int:
        return self.get(_WIDTH) * self.get(_HEIGHT)

    @property
    def is_full(self) -> bool:
        """Whether it is neither a preview nor a mask."""
        return not self.get(_NEW_SUBFILE) & (_REDUCED | _MASK) and self.get(_OLD_SUBFILE) != _OLD_REDUCED


def find_main_picture(source: Path | BinaryIO, subject: object) -> MainPicture:
    """Return the picture of a TIFF that a viewer shows: the first, or the full one where the first is a preview.

    Raises:
        UndecodableError: the full picture is a camera's raw data, or only its preview can be found.
    """
    if isinstance(source, Path):
        with source.open("rb") as stream:
            return _find_main_picture(stream, subject)
    return _find_main_picture(source, subject)


def _find_main_picture(stream: BinaryIO, subject: object) -> MainPicture:
    stream.seek(0)
    head = stream.read(16)
    directories = list(_iter_directories(stream, "<" if head[:2] == b"II" else ">"))
    stream.seek(0)
    if not directories:
        return MainPicture(0, 0)  # Pillow says what is wrong
    raw = max((each for each in directories if each.get(_PHOTOMETRIC) in _SENSOR_DATA), key=lambda each: each.pixel_count, default=None)
    if raw or head[8:11] == _CANON_RAW:
        size = f" ({raw.get(_WIDTH)}x{raw.get(_HEIGHT)})" if raw else ""
        reason = f"is a camera's raw file: its full picture is undeveloped sensor data{size}, and its preview is not scored instead"
        raise UndecodableError(subject, reason, "Develop it to JPEG or TIFF, and use that.")
    first = directories[0]
    if not first.is_full and any(not each.values for each in directories):
        raise UndecodableError(subject, "is cut short or damaged: its full picture cannot be found", "Copy or download it again.")
    pages = [each for each in directories if each.is_page and each.is_full]
    of_first = [each for each in directories if each.is_full and (each is first or not each.is_page)]
    main = max(of_first or pages or [first], key=lambda each: each.pixel_count)
    if main is first:
        return MainPicture(0, 0, max(1, len(pages)))
    return MainPicture(main.offset, 0 if main.get(_ORIENTATION) else first.get(_ORIENTATION), max(1, len(pages)))


def _iter_directories(stream: BinaryIO, order: str) -> Iterator[_Directory]:
    """Yield the pages of a TIFF, and after the first page its sub-directories, empty where they cannot be read."""
    stream.seek(4)
    pending, seen = [(_unpack(order + "I", stream.read(4)), True)], set[int]()
    while pending and len(seen) < _MAX_DIRECTORIES:
        offset, is_page = pending.pop(0)
        if not offset or offset in seen:
            continue
        seen.add(offset)
        directory, following = _read_directory(stream, order, offset, is_page=is_page)
        if directory is None and is_page:
            continue
        directory = directory or _Directory(offset, is_page, {})
        yield directory
        sub_directories = directory.values.get(_SUB_DIRECTORIES, ()) if len(seen) == 1 else ()
        pending = [*((sub, False) for sub in sub_directories), *pending, *([(following, True)] if is_page else [])]


def _read_directory(stream: BinaryIO, order: str, offset: int, *, is_page: bool) -> tuple[_Directory | None, int]:
    """Return a directory, None where it cannot be read, and the offset of the next page; 0 where there is none."""
    stream.seek(offset)
    count = _unpack(order + "H", stream.read(2))
    data = stream.read(12 * count + 4)
    if not count or len(data) < 12 * count:
        return None, 0
    values = {}
    for position in range(0, 12 * count, 12):
        tag, kind, length = struct.unpack(order + "HHI", data[position : position + 8])
        if tag in _NEEDED and kind in _TYPES and 0 < length <= _MAX_DIRECTORIES:
            values[tag] = _read_values(stream, order, _TYPES[kind], length, data[position + 8 : position + 12])
    return _Directory(offset, is_page, values), _unpack(order + "I", data[12 * count :])


def _read_values(stream: BinaryIO, order: str, letter: str, length: int, inline: bytes) -> tuple[int, ...]:
    size = struct.calcsize(letter) * length
    if size > len(inline):
        stream.seek(_unpack(order + "I", inline))
        inline = stream.read(size)
    return struct.unpack(f"{order}{length}{letter}", inline[:size]) if len(inline) >= size else ()


def _unpack(form: str, data: bytes) -> int:
    """Return the one number in ``data``; 0 where it is too short."""
    return int(struct.unpack(form, data)[0]) if len(data) == struct.calcsize(form) else 0


def _read(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()
