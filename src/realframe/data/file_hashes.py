"""Hash many files with SHA-256, and group the files of a folder by their content.

Each file is read once: its digest is stored by inode, size and modification time, as git's index does. A file that DVC links from its cache
into a worktree keeps its inode, so a fresh worktree needs no reading either.
"""

import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tqdm import tqdm

from realframe.data.labels import FileEntry, merge_entries
from realframe.errors import MediaError, UnreadableFileError
from realframe.files import compute_sha256
from realframe.media.signature import read_signature

HASH_INDEX_FILE = "hashes.sqlite"  # in the settings' cache_dir
_MIN_AGE_NS = 2_000_000_000  # a file changed more recently may change again within one tick of its clock: its digest is not stored
_MAX_BYTES = 256_000_000
_ROWS_PER_TRANSACTION = 512  # small, so that two runs do not wait for each other
_log = logging.getLogger(__name__)
_TABLE = """CREATE TABLE IF NOT EXISTS hashes
    (device INTEGER, inode INTEGER, bytes INTEGER, changed_ns INTEGER, sha256 TEXT, PRIMARY KEY (device, inode)) WITHOUT ROWID"""


class HashIndex:
    """The digests of files on this machine; a context manager.

    Args:
        database: the SQLite file that stores them. It may be deleted at any time. Above 256 MB, two million files, it is emptied: most of
            its rows are then of files that exist no more, and the others are read once again.
    """

    def __init__(self, database: Path) -> None:
        try:
            self._connection = _open_database(database)
        except (OSError, sqlite3.Error) as error:  # such as a full disk: reading the files again takes longer, but gives the same
            _log.warning("the digests of files are not stored for the next run: %s: %s", database, error)
            self._connection = _open_database(None)
        self._unsaved: list[tuple[int, int, int, int, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None) -> None:
        self._flush()
        self._connection.close()

    def hash_files(self, files: Iterable[Path], workers: int, *, show_progress: bool = True) -> dict[Path, str | OSError]:
        """Return the hex SHA-256 of each file, or why it cannot be read; ``workers`` threads read the files that are not stored."""
        results: dict[Path, str | OSError] = {}
        unread: list[tuple[Path, os.stat_result]] = []
        for file in files:
            try:
                facts = file.stat()
            except OSError as error:
                results[file] = error
                continue
            results[file] = stored = self._lookup(facts)
            if not stored:
                unread.append((file, facts))
        return results | self._read(unread, workers, show_progress)

    def add(self, file: Path, sha256: str) -> None:
        """Store a digest that was computed elsewhere."""
        self._store(file.stat(), sha256)

    def _read(self, unread: list[tuple[Path, os.stat_result]], workers: int, show_progress: bool) -> dict[Path, str | OSError]:
        results: dict[Path, str | OSError] = {}
        size = sum(facts.st_size for _, facts in unread)
        bar = tqdm(total=size, unit="B", unit_scale=True, desc="reading", disable=None if show_progress else True)
        with ThreadPoolExecutor(workers) as pool, bar:
            for (file, facts), result in zip(unread, pool.map(_hash_file, (file for file, _ in unread)), strict=True):
                results[file] = result
                if isinstance(result, str):
                    self._store(facts, result)
                bar.update(facts.st_size)
        return results

    def _lookup(self, facts: os.stat_result) -> str:
        row = self._connection.execute(
            "SELECT sha256 FROM hashes WHERE device = ? AND inode = ? AND bytes = ? AND changed_ns = ?",
            (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns),
        ).fetchone()
        return row[0] if row else ""

    def _store(self, facts: os.stat_result, sha256: str) -> None:
        if time.time_ns() - facts.st_mtime_ns > _MIN_AGE_NS:
            self._unsaved.append((facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, sha256))
        if len(self._unsaved) >= _ROWS_PER_TRANSACTION:
            self._flush()

    def _flush(self) -> None:
        try:
            with self._connection:
                self._connection.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", self._unsaved)
        except sqlite3.Error as error:
            _log.warning("the digests of %d files are not stored for the next run: %s", len(self._unsaved), error)
        self._unsaved.clear()


def _open_database(path: Path | None) -> sqlite3.Connection:
    """Open the database, and empty it where it is too large; without a path, one in memory. Raises OSError, sqlite3.Error."""
    if path is None:
        connection = sqlite3.connect(":memory:")
        connection.execute(_TABLE)
        return connection
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=60)
    connection.execute(_TABLE)
    if path.stat().st_size > _MAX_BYTES:
        with connection:
            connection.execute("DELETE FROM hashes")
        connection.execute("VACUUM")
    return connection


@dataclass
class FolderContents:
    """The files of a folder, grouped by content. ``items``, ``duplicates`` and ``problems`` together are all files.

    Attributes:
        items: content -> entry, in the order of the paths. The content is the SHA-256 of the bytes; of a file that is not media, with its
            path: two empty files, or one error page saved under two names, must not stop a run as one item with two labels.
        duplicates: number of files whose bytes occur under an earlier path.
        problems: path -> why the file cannot be used.
    """

    items: dict[str, FileEntry] = field(default_factory=dict)
    duplicates: int = 0
    problems: dict[str, MediaError] = field(default_factory=dict)


def group_by_content(folder: Path, entries: Sequence[FileEntry], hashes: HashIndex, workers: int) -> FolderContents:
    """Group the files of ``folder`` that ``entries`` name: the same bytes under two names are one media item.

    Raises:
        LabelConflictError: the same bytes are labeled real and fake.
        DatasetError: the same bytes are assigned to two splits.
    """
    contents = FolderContents(problems={entry.path: entry.problem for entry in entries if entry.problem})
    usable = {folder / entry.path: entry for entry in entries if not entry.problem}
    digests = hashes.hash_files(usable, workers)
    for file, entry in usable.items():
        digest = digests[file]
        try:
            if isinstance(digest, OSError):
                raise digest
            content = digest if read_signature(file) else f"{digest}:{entry.path}"
        except OSError as error:
            contents.problems[entry.path] = UnreadableFileError(
                entry.path, f"cannot be read: {error.strerror}", "Check its permissions and the disk."
            )
            continue
        if content in contents.items:
            contents.duplicates += 1
            contents.items[content] = merge_entries(contents.items[content], entry)
        else:
            contents.items[content] = entry
    return contents


def sha256_of_content(content: str) -> str:
    """Return the SHA-256 of a content of :class:`FolderContents`."""
    return content.partition(":")[0]


def _hash_file(file: Path) -> str | OSError:
    try:
        return compute_sha256(file)
    except OSError as error:
        return error
