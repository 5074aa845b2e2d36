"""Read the files of a scoring job from a folder of this machine or from a bucket, through one interface (fsspec)."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from realframe.data.folder_listing import list_files, may_be_media
from realframe.errors import DatasetError, LimitExceededError, UnreadableFileError

_CHUNK = 1 << 20
_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 1}}}
}
"""By protocol: s3fs repeats a failed request itself, five times."""
_STAMPS = ("ETag", "etag", "md5Hash", "LastModified", "last_modified", "updated", "mtime", "created")
"""Facts of a file system that change with the content of a file; the first one that it gives is used."""


FileKey = tuple[str, int, str]
"""Identifies a file and its content: name, size, stamp."""


@dataclass(frozen=True)
class SourceFile:
    """A file of a source.

    Attributes:
        file: its name below the source, POSIX; bytes that are not UTF-8 are escaped.
        location: where the file system finds it.
        bytes: its size.
        stamp: a tag or time that changes with the content.
    """

    file: str
    location: str
    bytes: int
    stamp: str

    @property
    def key(self) -> FileKey:
        """Identifies the file; a file whose content changes is another file."""
        return self.file, self.bytes, self.stamp


def resolve_source(source: str, base: Path) -> str:
    """Return a source that holds from any folder: a URL unchanged, a path absolute, relative to ``base`` where it is relative."""
    return source if "://" in source else str((base / Path(source).expanduser()).resolve())


class FileSource:
    """A folder, a bucket prefix, or a single file.

    Args:
        address: a path, or a URL that fsspec knows, such as ``s3://bucket/prefix``.

    Raises:
        DatasetError: the address is not valid, or the library for its protocol is not installed.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._files, self._root = url_to_fs(address, **_OPTIONS.get(address.partition("://")[0], {}))
        except (ValueError, ImportError) as error:
            raise DatasetError(address, f"cannot be opened: {error}", "Give a folder or a URL such as s3://bucket/x.") from error
        self.is_local = isinstance(self._files, LocalFileSystem)

    def list_files(self) -> list[SourceFile]:
        """Return the possible media files by name, without hidden files and text files. Raises DatasetError where there are none."""
        try:
            files = sorted(self._local_files() if self.is_local else self._remote_files(), key=lambda file: file.file)
        except Exception as error:  # each kind of file system has errors of its own
            raise DatasetError(self.address, f"cannot be listed: {error}", "Check that it exists and that you may read it.") from error
        if not files:
            raise DatasetError(self.address, "contains no media file", "Give a folder or a bucket prefix with images and videos.")
        return files

    @contextmanager
    def fetch(self, file: SourceFile, limit: int) -> Iterator[Path]:
        """Yield a local copy of a file of a bucket, which is removed when the context ends.

        Raises:
            UnreadableFileError: the file is missing or cannot be read.
            LimitExceededError: it has more than ``limit`` bytes.
        """
        if file.bytes > limit:
            raise _over_limit(file, limit)
        with tempfile.TemporaryDirectory(prefix="realframe-") as folder:
            target = Path(folder) / "media"  # the name in the bucket is not to be trusted
            self._download(file, target, limit)
            yield target

    def _download(self, file: SourceFile, target: Path, limit: int) -> None:
        size = 0
        with target.open("wb") as stream:
            for chunk in self._read_chunks(file):
                size += len(chunk)
                if size > limit:  # whatever the listing says
                    raise _over_limit(file, limit)
                stream.write(chunk)

    def _read_chunks(self, file: SourceFile) -> Iterator[bytes]:
        """Read a file; an error here is an error of the source, not of this machine."""
        try:
            with self._files.open(file.location, "rb") as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
        except Exception as error:  # each kind of file system has errors of its own
            hint = "Run the job again once the file can be read."
            raise UnreadableFileError(file.file, f"cannot be read: {error}", hint) from error

    def _local_files(self) -> Iterator[SourceFile]:
        root = Path(self._root)
        if root.is_file():
            yield _stat_file(root, root.name)
        for name in list_files(root).media:
            yield _stat_file(root / name, name)

    def _remote_files(self) -> Iterator[SourceFile]:
        root = self._root.rstrip("/")
        for location, facts in self._files.find(root, detail=True).items():
            name = location.removeprefix(root).lstrip("/") or location.rpartition("/")[2]
            if facts["type"] == "file" and may_be_media(name):
                yield SourceFile(_escape(name), location, int(facts.get("size") or 0), _find_stamp(facts))


def _stat_file(path: Path, name: str) -> SourceFile:
    """Describe a file of this machine; a file that is already gone is reported when it is scored."""
    try:
        facts = path.stat()
    except OSError:
        return SourceFile(_escape(name), str(path), 0, "")
    return SourceFile(_escape(name), str(path), facts.st_size, str(facts.st_mtime_ns))


def _find_stamp(facts: Mapping[str, Any]) -> str:
    return next((str(facts[name]) for name in _STAMPS if facts.get(name)), "")


def _escape(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _over_limit(file: SourceFile, limit: int) -> LimitExceededError:
    return LimitExceededError(file.file, f"has more than {limit:,} bytes", "Cut it, or raise limits.max_bytes in params.yaml.")
