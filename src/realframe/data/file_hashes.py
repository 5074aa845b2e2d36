"""SHA-256 of many files, each read once: what was hashed is remembered by inode, size and time of change, as git's index does.

A file that DVC links from its cache into a worktree keeps its inode, so a fresh worktree costs no reading either.

The files of a folder by what they hold, so that the same bytes under two names are one media item.
"""

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

from realframe.data.labels import FileEntry, merged
from realframe.errors import MediaError, UnreadableFileError
from realframe.files import sha256_of
from realframe.media.signature import HEAD_BYTES, sniff

HASHES = "hashes.sqlite"  # in the settings' cache_dir
_SETTLED_NS = 2_000_000_000  # a file changed so shortly ago may change again within one tick of its clock: not remembered
_AT_ONCE = 512  # rows per transaction, so that two runs don't wait for each other
_TABLE = """CREATE TABLE IF NOT EXISTS hashes
    (device INTEGER, inode INTEGER, bytes INTEGER, changed_ns INTEGER, sha256 TEXT, PRIMARY KEY (device, inode)) WITHOUT ROWID"""


class HashIndex:
    """The digests of files on this machine; a context manager.

    Args:
        database: the SQLite file that remembers them; may be deleted at any time.
    """

    def __init__(self, database: Path) -> None:
        database.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(database, timeout=60)
        self._connection.execute(_TABLE)
        self._fresh: list[tuple[int, int, int, int, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._flush()
        self._connection.close()

    def sha256(self, files: Iterable[Path], workers: int) -> dict[Path, str | OSError]:
        """Return the hex SHA-256 of each file, or why it can't be read; ``workers`` threads read what is not remembered."""
        answers: dict[Path, str | OSError] = {}
        unread: list[tuple[Path, os.stat_result]] = []
        for file in files:
            try:
                facts = file.stat()
            except OSError as error:
                answers[file] = error
                continue
            known = self._known(facts)
            answers[file] = known
            if not known:
                unread.append((file, facts))
        return answers | self._read(unread, workers)

    def remember(self, file: Path, sha256: str) -> None:
        """Keep a digest that was computed elsewhere."""
        self._keep(file.stat(), sha256)

    def _read(self, unread: list[tuple[Path, os.stat_result]], workers: int) -> dict[Path, str | OSError]:
        answers: dict[Path, str | OSError] = {}
        size = sum(facts.st_size for _, facts in unread)
        with ThreadPoolExecutor(workers) as pool, tqdm(total=size, unit="B", unit_scale=True, desc="reading", disable=None) as bar:
            for (file, facts), answer in zip(unread, pool.map(_digest, (file for file, _ in unread)), strict=True):
                answers[file] = answer
                if isinstance(answer, str):
                    self._keep(facts, answer)
                bar.update(facts.st_size)
        return answers

    def _known(self, facts: os.stat_result) -> str:
        row = self._connection.execute(
            "SELECT sha256 FROM hashes WHERE device = ? AND inode = ? AND bytes = ? AND changed_ns = ?",
            (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns),
        ).fetchone()
        return row[0] if row else ""

    def _keep(self, facts: os.stat_result, sha256: str) -> None:
        if time.time_ns() - facts.st_mtime_ns > _SETTLED_NS:
            self._fresh.append((facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, sha256))
        if len(self._fresh) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        with self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?)", self._fresh)
        self._fresh.clear()


def _digest(file: Path) -> str | OSError:
    try:
        return sha256_of(file)
    except OSError as error:
        return error


@dataclass
class FolderContents:
    """What a folder holds. Its ``items``, ``duplicates`` and ``problems`` together are all its files.

    Attributes:
        items: content -> entry, in the order of the paths. The content is the SHA-256 of the bytes, and for what is no media its path
            too: two empty files, or one error page saved under two names, must not stop a run as one item with two labels.
        duplicates: files whose bytes stand under an earlier path.
        problems: path -> what is wrong with the file.
    """

    items: dict[str, FileEntry] = field(default_factory=dict)
    duplicates: int = 0
    problems: dict[str, MediaError] = field(default_factory=dict)


def group_by_content(folder: Path, entries: Sequence[FileEntry], hashes: HashIndex, workers: int) -> FolderContents:
    """Read the files of ``folder`` that ``entries`` name.

    Raises:
        LabelConflictError: the same bytes are labelled real and fake.
        DatasetError: the same bytes are given to two splits.
    """
    contents = FolderContents(problems={entry.path: entry.problem for entry in entries if entry.problem})
    fit = {folder / entry.path: entry for entry in entries if not entry.problem}
    digests = hashes.sha256(fit, workers)
    for file, entry in fit.items():
        digest = digests[file]
        if isinstance(digest, OSError):
            contents.problems[entry.path] = UnreadableFileError(
                entry.path, f"can't be read: {digest.strerror}", "Check its permissions and the disk."
            )
            continue
        content = digest if _is_media(file) else f"{digest}:{entry.path}"
        if content in contents.items:
            contents.duplicates += 1
            contents.items[content] = merged(contents.items[content], entry)
        else:
            contents.items[content] = entry
    return contents


def sha256_in(content: str) -> str:
    """Return the SHA-256 of a content of :class:`Contents`."""
    return content.partition(":")[0]


def _is_media(file: Path) -> bool:
    with file.open("rb") as stream:
        return sniff(stream.read(HEAD_BYTES)) is not None
