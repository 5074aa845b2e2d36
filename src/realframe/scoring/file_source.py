"""Where the files of a job lie: a folder of this machine or a bucket, by one interface (fsspec), and how one of them comes here."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from realframe.data.layouts import files_of, may_be_media
from realframe.errors import DatasetError, OverLimitError, UnreadableFileError

_CHUNK = 1 << 20
_CHANGES = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "mtime", "created")
"""What file systems say of a file that changes with its content; the first one that is there counts."""


Key = tuple[str, int, str]
"""What tells a file from another: its name, its size, its stamp."""


@dataclass(frozen=True)
class Listed:
    """A file of a source.

    Attributes:
        file: its name below the source, POSIX; what is no UTF-8 in it is spelled out.
        place: where the file system finds it.
        bytes: its size.
        stamp: what changes with its content.
    """

    file: str
    place: str
    bytes: int
    stamp: str

    @property
    def key(self) -> Key:
        """What tells it from another file; one whose content changes is another file."""
        return self.file, self.bytes, self.stamp


def located(source: str, base: Path) -> str:
    """Return a source as it is meant from anywhere: a URL as it is, a folder absolute, seen from ``base`` where it is relative."""
    return source if "://" in source else str((base / Path(source).expanduser()).resolve())


class FileSource:
    """A folder, a bucket prefix, or a single file.

    Args:
        address: a path, or a URL that fsspec knows, such as ``s3://bucket/prefix``.

    Raises:
        DatasetError: it is no address, or the library for its kind is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._files, self._root = url_to_fs(address)
        except (ValueError, ImportError) as error:
            raise DatasetError(
                address, f"is no place that can be read: {error}", "Give a folder or a URL such as s3://bucket/x."
            ) from error
        self._local = isinstance(self._files, LocalFileSystem)

    def files(self) -> list[Listed]:
        """List the files that may be media, by name: no hidden ones, no text. Raises DatasetError where there are none."""
        try:
            found = sorted(self._local_files() if self._local else self._remote_files(), key=lambda each: each.file)
        except Exception as error:  # each kind of file system has errors of its own
            raise DatasetError(self.address, f"can't be listed: {error}", "Is it there, and may you read it?") from error
        if not found:
            raise DatasetError(self.address, "holds no file that may be media", "Give a folder or a bucket prefix with images and videos.")
        return found

    @contextmanager
    def here(self, listed: Listed, limit: int) -> Iterator[Path]:
        """Yield a path of this machine with a file's bytes; those of a bucket are removed afterwards.

        Raises:
            UnreadableFileError: it is gone, or can't be read.
            OverLimitError: it has more than ``limit`` bytes.
        """
        if self._local:
            yield Path(listed.place)
            return
        if listed.bytes > limit:
            raise _over(listed, limit)
        with tempfile.TemporaryDirectory(prefix="realframe-") as folder:
            target = Path(folder) / "media"  # never the name that a stranger gave it
            self._fetch(listed, target, limit)
            yield target

    def _fetch(self, listed: Listed, target: Path, limit: int) -> None:
        fetched = 0
        with target.open("wb") as written:
            for chunk in self._chunks(listed):
                fetched += len(chunk)
                if fetched > limit:  # whatever the listing said
                    raise _over(listed, limit)
                written.write(chunk)

    def _chunks(self, listed: Listed) -> Iterator[bytes]:
        """Read a file; what fails here is the source's fault, not this machine's."""
        try:
            with self._files.open(listed.place, "rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except Exception as error:  # each kind of file system has errors of its own
            raise UnreadableFileError(listed.file, f"can't be read: {error}", "Run the job again once it can.") from error

    def _local_files(self) -> Iterator[Listed]:
        root = Path(self._root)
        if root.is_file():
            yield _of_stat(root, root.name)
        for name, _ in files_of(root):
            yield _of_stat(root / name, name)

    def _remote_files(self) -> Iterator[Listed]:
        root = self._root.rstrip("/")
        for place, facts in self._files.find(root, detail=True).items():
            name = place.removeprefix(root).lstrip("/") or place.rpartition("/")[2]
            if facts["type"] == "file" and may_be_media(name):
                yield Listed(_text(name), place, int(facts.get("size") or 0), _stamp(facts))


def _of_stat(path: Path, name: str) -> Listed:
    """List a file of this machine; one that is gone already is told where it is looked at."""
    try:
        facts = path.stat()
    except OSError:
        return Listed(_text(name), str(path), 0, "")
    return Listed(_text(name), str(path), facts.st_size, str(facts.st_mtime_ns))


def _stamp(facts: Mapping[str, Any]) -> str:
    return next((str(facts[name]) for name in _CHANGES if facts.get(name)), "")


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _over(listed: Listed, limit: int) -> OverLimitError:
    return OverLimitError(listed.file, f"has more than {limit:,} bytes", "Cut it, or use a version whose limits.max_bytes is higher.")
