"""What a file that is handed in may be called: a name to be shown, never one on this machine's disk.

Reads a form's body (multipart/form-data, RFC 7578) piece by piece as it arrives, and writes its one file straight to its place.
"""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from realframe.errors import BodyError, BodyTypeError, TooLargeError

LONGEST = 200
UNNAMED = "unnamed"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control and format characters: a turned writing direction makes exe.jpg of gpj.exe


def cleaned(name: bytes) -> str:
    """Return the last part of a name as a browser sends it, without what can't be seen, at most 200 characters."""
    text = unicodedata.normalize("NFC", name.decode(errors="replace"))
    seen = "".join(letter for letter in text if unicodedata.category(letter) not in _HIDDEN)
    last = re.split(r"[/\\]", seen)[-1].strip()[:LONGEST].strip()
    return last if last.strip(".") else UNNAMED


if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE = "file"
"""The part that is the file."""
_PARTS = 16
_FIELD_BYTES = 4096
_HINT = "Send multipart/form-data with one part named `file`, such as `curl -F file=@clip.mp4`."


class Body:
    """The body of one request.

    Args:
        content_type: the header, with the boundary.
        target: takes the bytes of the file.
        most: bytes that the file may have.

    Attributes:
        fields: the other parts, by name.
        name: of the file, to be shown.
        bytes: of the file so far.

    Raises:
        BodyTypeError: the header names no form.
        BodyError: it names no boundary.
    """

    def __init__(self, content_type: str, target: BinaryIO, most: int) -> None:
        self.fields: dict[str, str] = {}
        self.name, self.bytes = "", 0
        self._target, self._most = target, most
        self._parts, self._files, self._ended = 0, 0, False
        self._field, self._nothing_chosen = "", False
        self._header, self._value = b"", b""
        self._disposition: dict[bytes, bytes] = {}
        with _told():
            self._parser = MultipartParser(_boundary(content_type), self._callbacks())

    def feed(self, piece: bytes) -> None:
        """Take the next piece. Raises BodyError, TooLargeError."""
        with _told():
            self._parser.write(piece)

    def close(self) -> None:
        """Say that no more comes. Raises BodyError where it is cut short, or holds no file."""
        if not self._ended:
            raise BodyError("body", "ends before the form does", "Send it again.")
        if not self._files:
            raise BodyError("body", f"has no part named `{FILE}`", _HINT)
        if not self.bytes and self._nothing_chosen:
            raise BodyError("body", "names no file", "Choose one.")

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers,
            "on_part_data": self._on_data,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        self._parts += 1
        self._disposition = {}
        if self._parts > _PARTS:
            raise BodyError("body", f"has more than {_PARTS} parts", _HINT)

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = parse_options_header(self._value)[1]
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        self._field = self._disposition.get(b"name", b"").decode(errors="replace")
        if self._field != FILE:
            self.fields[self._field] = ""
            return
        self._files += 1
        if self._files > 1:
            raise BodyError("body", f"has two parts named `{FILE}`", "Send one file per request.")
        name = self._disposition.get(b"filename")
        self._nothing_chosen = name == b""  # what a browser sends of a form whose file was not chosen
        self.name = cleaned(name.replace(b"%22", b'"')) if name else UNNAMED  # as browsers write it (WHATWG HTML, 4.10.21.8)

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._field == FILE:
            self.bytes += end - start
            if self.bytes > self._most:
                raise too_large(self._most)
            self._target.write(data[start:end])
        elif len(self.fields[self._field]) + end - start > _FIELD_BYTES:
            raise BodyError("body", f"has a field of more than {_FIELD_BYTES} bytes", _HINT)
        else:
            self.fields[self._field] += data[start:end].decode(errors="replace")

    def _on_end(self) -> None:
        self._ended = True


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise BodyError("body", f"is no form: {error}", _HINT) from error


def too_large(most: int) -> TooLargeError:
    """Return the error about a file of more than ``most`` bytes."""
    return TooLargeError("file", f"is larger than {most:,} bytes", "Cut it, or send it in a smaller format.")


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise BodyTypeError("body", f"has the type {kind.decode(errors='replace')[:80]}" if kind else "names no type", _HINT)
    if not (boundary := options.get(b"boundary")):
        raise BodyError("body", "names no boundary between its parts", _HINT)
    return boundary
