"""Store the files of one source folder as a batch in ``data/raw``: the copies, and a ``labels.csv`` with their labels."""

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from realframe.data.label_table import read_label_table
from realframe.data.labels import ENTRY_COLUMNS, LABELS_FILE, FileEntry
from realframe.files import atomic_path, compute_sha256, join_name, write_text

_CHUNK = 1 << 20


class IngestBatch:
    """The batch of one source folder; the same folder always has the same batch.

    Args:
        raw_dir: the living folder of originals.
        folder: the source folder.
    """

    def __init__(self, raw_dir: Path, folder: Path) -> None:
        source = folder.resolve()
        name = re.sub(r"[^\w.-]+", "-", source.name).strip("-.") or "batch"
        self.raw_dir = raw_dir
        self.path = raw_dir / f"{name}-{hashlib.sha256(os.fsencode(source)).hexdigest()[:6]}"

    def remove_partial_copies(self) -> None:
        """Remove the temporary files of a copy that was killed."""
        for part in self.path.rglob(".*.tmp*"):
            part.unlink()

    def copy_file(self, source: Path, relative: str, sha256: str) -> tuple[Path, bool]:
        """Copy a file to its relative path in the batch, or to a name with its digest where another file has that path.

        Returns:
            The path of the copy, and whether it had to be copied.

        Raises:
            BlockingIOError: its SHA-256 is no longer ``sha256``: another program writes to it.
        """
        target = self.path / relative
        if target.exists() and not _has_sha256(target, sha256):
            target = target.with_name(join_name(target.stem, f"-{sha256[:8]}{target.suffix}"))
        if target.exists() and _has_sha256(target, sha256):
            return target, False
        with atomic_path(target) as temporary:
            if _copy_and_hash(source, temporary) != sha256:
                raise BlockingIOError(f"{source} is being written to")
            facts = source.stat()
            os.utime(temporary, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return target, True

    def read_entries(self) -> list[FileEntry]:
        """Return the entries of earlier ingests, with paths relative to ``raw_dir``."""
        csv_file = self.path / LABELS_FILE
        rows = read_label_table(csv_file, self.raw_dir).rows if csv_file.exists() else []
        return [row.entry for row in rows if not row.entry.problem]

    def add_entries(self, entries: Iterable[FileEntry]) -> None:
        """Add entries (paths relative to ``raw_dir``) to the batch's CSV, in place of earlier entries of the same paths."""
        csv_file = self.path / LABELS_FILE
        known = self.read_entries()
        rows = {entry.path: entry for entry in [*known, *entries]}
        if rows != {entry.path: entry for entry in known}:
            write_text(csv_file, self._format_csv(rows[path] for path in sorted(rows)))

    def _format_csv(self, entries: Iterable[FileEntry]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("file_path", *ENTRY_COLUMNS))
        base = self.path.relative_to(self.raw_dir)
        for entry in entries:
            path = PurePosixPath(os.path.relpath(entry.path, base)).as_posix()
            writer.writerow((path, *(getattr(entry, column) for column in ENTRY_COLUMNS)))
        return text.getvalue()


def _has_sha256(file: Path, sha256: str) -> bool:
    return file.is_file() and compute_sha256(file) == sha256


def _copy_and_hash(source: Path, target: Path) -> str:
    """Copy the bytes and return their SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()
