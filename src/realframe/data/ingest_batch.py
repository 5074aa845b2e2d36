"""A batch folder in the living folder of originals: the files that came from one folder, and what is known of them."""

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from realframe.data.csv_sheets import read_sheet
from realframe.data.labels import SAID, FileEntry
from realframe.files import atomic_path, sha256_of, write_text

SHEET = "labels.csv"
_CHUNK = 1 << 20


class Batch:
    """The batch of one folder; the same folder always has the same batch.

    Args:
        raw_dir: the living folder of originals.
        folder: where the files come from.
    """

    def __init__(self, raw_dir: Path, folder: Path) -> None:
        origin = folder.resolve()
        name = re.sub(r"[^\w.-]+", "-", origin.name).strip("-.") or "batch"
        self.raw_dir = raw_dir
        self.path = raw_dir / f"{name}-{hashlib.sha256(os.fsencode(origin)).hexdigest()[:6]}"

    def sweep(self) -> None:
        """Remove what a killed copy left."""
        for part in self.path.rglob(".*.tmp*"):
            part.unlink()

    def take(self, source: Path, relative: str, sha256: str) -> tuple[Path, bool]:
        """Copy a file to its relative path in the batch, or beside it where another file has that name.

        Returns:
            Where it lies, and whether it had to be copied.

        Raises:
            BlockingIOError: its bytes are no longer those of ``sha256``: someone is writing to it.
        """
        target = self.path / relative
        if target.exists() and not _holds(target, sha256):
            target = target.with_name(f"{target.stem}-{sha256[:8]}{target.suffix}")
        if target.exists() and _holds(target, sha256):
            return target, False
        with atomic_path(target) as temporary:
            if _copied(source, temporary) != sha256:
                raise BlockingIOError(f"{source} is being written to")
            facts = source.stat()
            os.utime(temporary, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        return target, True

    def say(self, entries: Iterable[FileEntry]) -> None:
        """Write into the batch's CSV what is known of files of ``raw_dir`` (paths relative to it), beside what it says already."""
        sheet = self.path / SHEET
        known = [entry for entry in read_sheet(sheet, self.raw_dir) if not entry.problem] if sheet.exists() else []
        rows = {entry.path: entry for entry in [*known, *entries]}
        if rows != {entry.path: entry for entry in known}:
            write_text(sheet, self._sheet(rows[path] for path in sorted(rows)))

    def _sheet(self, entries: Iterable[FileEntry]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("file_path", *SAID))
        base = self.path.relative_to(self.raw_dir)
        for entry in entries:
            path = PurePosixPath(os.path.relpath(entry.path, base)).as_posix()
            writer.writerow((path, *(getattr(entry, column) for column in SAID)))
        return text.getvalue()


def _holds(file: Path, sha256: str) -> bool:
    return file.is_file() and sha256_of(file) == sha256


def _copied(source: Path, target: Path) -> str:
    """Copy the bytes and return their SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()
