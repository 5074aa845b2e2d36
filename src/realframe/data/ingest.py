"""Taking new files into the living folder of originals, by copy, so that the catalog reads them the same from any layout.

Each folder that files come from has a batch folder of its own in ``data/raw``, with the files at their old relative paths and a
``labels.csv`` that says what is known of them. The same bytes are kept once. What a kill leaves undone, the next call does.
"""

import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock
from tqdm import tqdm

from realframe.data import takedown_list
from realframe.data.file_hashes import HASHES, FolderContents, HashIndex, group_by_content, sha256_in
from realframe.data.ingest_batch import Batch
from realframe.data.labels import FileEntry, merged, overlaid
from realframe.data.layouts import read_file, read_layout, read_named
from realframe.errors import DatasetError, MediaError, UnreadableFileError
from realframe.settings import get_settings

_ROOM = 64 << 20  # bytes that the copies leave free
_NOTHING = FileEntry("")


@dataclass
class IngestSummary:
    """What became of the files that were offered: ``found`` = ``copied`` + ``known`` + ``duplicates`` + ``problems``.

    Attributes:
        batch: the batch folder in ``data/raw``.
        found: files offered, also those that a CSV names in vain.
        copied: files taken in.
        known: files whose bytes were there already.
        duplicates: files whose bytes were offered twice.
        labels: of the files taken in, how many are ``real``, ``fake`` and (an empty string) unlabelled.
        bytes: size of the files taken in.
        problems: path -> why it was not taken.
    """

    batch: Path
    found: int = 0
    copied: int = 0
    known: int = 0
    duplicates: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    problems: dict[str, MediaError] = field(default_factory=dict)

    def __str__(self) -> str:
        taken = ", ".join(f"{self.labels[label]} {label or 'unlabelled'}" for label in ("real", "fake", "") if self.labels[label])
        rest = f"{self.known} there already, {self.duplicates} twice, {len(self.problems)} not taken"
        return f"{self.found} files: {self.copied} taken in{f' ({taken})' if taken else ''}, {rest}"


def ingest(
    path: Path,
    raw_dir: Path,
    *,
    cache_dir: Path | None = None,
    manifest: Path | None = None,
    facts: FileEntry = _NOTHING,
    settled_s: float = 0.0,
    workers: int = 1,
    barred: frozenset[str] = frozenset(),
) -> IngestSummary:
    """Copy what is new in ``path`` into ``raw_dir``; ``path`` itself is never changed.

    Args:
        path: a folder in any layout that ``layouts.py`` reads, one media file, or a CSV of labels (then only the files that it names).
        raw_dir: the living folder of originals.
        cache_dir: keeps the digests of files, so that taking in a folder again is fast; default: that of the settings.
        manifest: the CSV of labels, instead of those in the folder.
        facts: what holds for all files, whatever folders and CSV say; its path means nothing.
        settled_s: leave files that changed less than so many seconds ago for the next time: they may still be arriving.
        workers: threads that read.
        barred: ids of items that were taken down; they are not taken.

    Raises:
        LabelConflictError: the same bytes are labelled real and fake, here or among what is in ``raw_dir``. Nothing is copied.
        DatasetError: no such path, a CSV that can't be read, or too little room on the disk.
    """
    folder, entries = _offered(path, manifest)
    offered = [_checked(overlaid(replace(facts, path=entry.path), entry), folder, settled_s) for entry in entries]
    batch = Batch(raw_dir, folder)
    cache = _made(cache_dir or get_settings().cache_dir)
    with FileLock(cache / "ingest.lock"), HashIndex(cache / HASHES) as hashes:
        batch.sweep()
        new = group_by_content(folder, offered, hashes, workers)
        _refuse(new, barred)
        kept = group_by_content(raw_dir, read_layout(raw_dir), hashes, workers).items
        summary = IngestSummary(batch.path, len(offered), duplicates=new.duplicates, problems=new.problems)
        told = _told(new, kept, folder, raw_dir)
        summary.known = sum(content in kept for content in new.items)
        _check_room(raw_dir, [folder / entry.path for content, entry in new.items.items() if content not in kept])
        for content in tqdm([content for content in new.items if content not in kept], desc="copying", unit="file", disable=None):
            told += _take(batch, folder, new.items[content], content, hashes, summary)
        batch.say(told)
    return summary


def _offered(path: Path, manifest: Path | None) -> tuple[Path, list[FileEntry]]:
    if path.is_dir():
        return path, read_layout(path, manifest)
    if not path.is_file():
        raise DatasetError(path, "there is no such file or folder", "Name a folder, a media file or a CSV of labels.")
    if path.suffix.casefold() == ".csv":
        return path.parent, read_named(path)
    return path.parent, [read_file(path, manifest)]


def _checked(entry: FileEntry, folder: Path, settled_s: float) -> FileEntry:
    """Mark what must not be copied: a link that leads out of the folder, and a file that may still be arriving."""
    file = folder / entry.path
    if entry.problem or not file.exists():
        return entry
    if not file.resolve().is_relative_to(folder.resolve()):
        return replace(
            entry, problem=UnreadableFileError(entry.path, "is a link that leads out of the folder", "Ingest what it points to.")
        )
    if settled_s and time.time() - file.stat().st_mtime < settled_s:
        return replace(
            entry, problem=UnreadableFileError(entry.path, "changed a moment ago and may still be arriving", "It is taken the next time.")
        )
    return entry


def _refuse(new: FolderContents, barred: frozenset[str]) -> None:
    for content in [content for content in new.items if sha256_in(content) in barred]:
        path = new.items.pop(content).path
        new.problems[path] = takedown_list.refusal(path)


def _told(new: FolderContents, kept: dict[str, FileEntry], folder: Path, raw_dir: Path) -> list[FileEntry]:
    """What is said here for the first time of bytes that are there already. Raises where the two contradict each other."""
    told = []
    for content, entry in new.items.items():
        if content in kept:
            known = kept[content]
            both = merged(replace(known, path=str(raw_dir / known.path)), replace(entry, path=str(folder / entry.path)))
            told += [replace(both, path=known.path)] if replace(both, path=known.path) != known else []
    return told


def _take(batch: Batch, folder: Path, entry: FileEntry, content: str, hashes: HashIndex, summary: IngestSummary) -> list[FileEntry]:
    """Take one file in and count it; return what to say of it."""
    sha256 = sha256_in(content)
    try:
        target, copied = batch.take(folder / entry.path, entry.path, sha256)
    except BlockingIOError:
        summary.problems[entry.path] = UnreadableFileError(entry.path, "changed while it was being copied", "Ingest it again.")
        return []
    hashes.remember(target, sha256)
    if copied:
        summary.copied += 1
        summary.labels[entry.label] += 1
        summary.bytes += target.stat().st_size
    else:
        summary.known += 1
    return [replace(entry, path=target.relative_to(batch.raw_dir).as_posix())]


def _check_room(raw_dir: Path, files: list[Path]) -> None:
    needed = sum(file.stat().st_size for file in files)
    free = shutil.disk_usage(_made(raw_dir)).free
    if files and needed + _ROOM > free:
        raise DatasetError(raw_dir, f"has {free >> 20} MiB free, but the new files need {needed >> 20} MiB", "Make room and run it again.")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
