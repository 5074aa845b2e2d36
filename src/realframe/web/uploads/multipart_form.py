"""Parse a multipart/form-data body (RFC 7578) chunk by chunk, and write its one file straight to disk.

The name of the file is cleaned for display. It is never used as a path on this machine.
"""

import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from realframe.web.request_errors import ContentTooLargeError, MalformedBodyError, UnsupportedMediaTypeError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FILE_PART = "file"
"""The name of the part that holds the file."""
MAX_NAME_LENGTH = 200
UNNAMED = "unnamed"
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control and format characters: a reversed writing direction shows gpj.exe as exe.jpg
_MAX_PARTS = 16
_MAX_FIELD_BYTES = 4096
_HINT = "Send multipart/form-data with one part named `file`, such as `curl -F file=@clip.mp4`."


class MultipartForm:
    """Parse the body of one request.

    Args:
        content_type: the Content-Type header, with the boundary.
        target: the stream that receives the bytes of the file.
        max_bytes: the size limit of the file.

    Attributes:
        fields: the values of the other parts by their names.
        file_name: the cleaned name of the file.
        file_bytes: the bytes of the file received so far.

    Raises:
        UnsupportedMediaTypeError: the header is not multipart/form-data.
        MalformedBodyError: the header has no valid boundary.
    """

    def __init__(self, content_type: str, target: BinaryIO, max_bytes: int) -> None:
        self.fields: dict[str, str] = {}
        self.file_name, self.file_bytes = "", 0
        self._target, self._max_bytes = target, max_bytes
        self._part_count, self._file_count, self._is_complete = 0, 0, False
        self._part_name, self._no_file_chosen = "", False
        self._header, self._value = b"", b""
        self._disposition: dict[bytes, bytes] = {}
        with _translate_errors():
            self._parser = MultipartParser(_boundary(content_type), self._callbacks())

    def feed(self, chunk: bytes) -> None:
        """Parse the next chunk. Raises MalformedBodyError, ContentTooLargeError."""
        with _translate_errors():
            self._parser.write(chunk)

    def close(self) -> None:
        """End the body. Raises MalformedBodyError if it is cut short or has no file."""
        if not self._is_complete:
            raise MalformedBodyError("body", "is cut short", "Send it again.")
        if not self._file_count:
            raise MalformedBodyError("body", f"has no part named `{FILE_PART}`", _HINT)
        if not self.file_bytes and self._no_file_chosen:
            raise MalformedBodyError("body", "has no file", "Choose a file.")

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        self._part_count += 1
        self._disposition = {}
        if self._part_count > _MAX_PARTS:
            raise MalformedBodyError("body", f"has more than {_MAX_PARTS} parts", _HINT)

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = parse_options_header(self._value)[1]
        self._header, self._value = b"", b""

    def _on_headers_finished(self) -> None:
        self._part_name = self._disposition.get(b"name", b"").decode(errors="replace")
        if self._part_name != FILE_PART:
            self.fields[self._part_name] = ""
            return
        self._file_count += 1
        if self._file_count > 1:
            raise MalformedBodyError("body", f"has two parts named `{FILE_PART}`", "Send one file per request.")
        name = self._disposition.get(b"filename")
        self._no_file_chosen = name == b""  # a browser sends this if no file was chosen
        self.file_name = clean_file_name(name.replace(b"%22", b'"')) if name else UNNAMED  # browsers escape quotes (WHATWG HTML, 4.10.21.8)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part_name == FILE_PART:
            self.file_bytes += end - start
            if self.file_bytes > self._max_bytes:
                raise file_too_large(self._max_bytes)
            self._target.write(data[start:end])
        elif len(self.fields[self._part_name]) + end - start > _MAX_FIELD_BYTES:
            raise MalformedBodyError("body", f"has a field of more than {_MAX_FIELD_BYTES} bytes", _HINT)
        else:
            self.fields[self._part_name] += data[start:end].decode(errors="replace")

    def _on_end(self) -> None:
        self._is_complete = True


def clean_file_name(name: bytes) -> str:
    """Return the last part of a path as a browser sends it, without invisible characters, at most 200 characters."""
    text = unicodedata.normalize("NFC", name.decode(errors="replace"))
    visible = "".join(letter for letter in text if unicodedata.category(letter) not in _INVISIBLE)
    last = re.split(r"[/\\]", visible)[-1].strip()[:MAX_NAME_LENGTH].strip()
    return last if last.strip(".") else UNNAMED


def file_too_large(max_bytes: int) -> ContentTooLargeError:
    """Return the error about a file of more than ``max_bytes`` bytes."""
    return ContentTooLargeError("file", f"is larger than {max_bytes:,} bytes", "Cut it, or convert it to a smaller format.")


@contextmanager
def _translate_errors() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise MalformedBodyError("body", f"is not a valid form: {error}", _HINT) from error


def _boundary(content_type: str) -> bytes:
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        name = media_type.decode(errors="replace")[:80]
        raise UnsupportedMediaTypeError("body", f"has the media type {name}" if name else "has no media type", _HINT)
    if not (boundary := options.get(b"boundary")):
        raise MalformedBodyError("body", "has no boundary between its parts", _HINT)
    return boundary
