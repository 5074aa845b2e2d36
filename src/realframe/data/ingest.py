"""Ingest new files: copy them into ``data/raw``, the living folder of originals, from any layout.

Each source folder has one batch folder in ``data/raw``, with the files under their relative paths and a ``labels.csv`` with their labels.
The same bytes are stored once. An ingest that was killed is completed by the next one. Only media files are copied, under names that no
program runs; what else is in the folder is skipped and named.
"""

import errno
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from filelock import FileLock
from tqdm import tqdm

from realframe.data import takedown_list
from realframe.data.file_hashes import HASH_INDEX_FILE, FolderContents, HashIndex, group_by_content, sha256_of_content
from realframe.data.ingest_batch import IngestBatch
from realframe.data.labels import FileEntry, LabelOptions, apply_defaults, merge_entries
from realframe.data.layouts import (
    FolderLabels,
    raise_contradictions,
    read_file_entry,
    read_folder_labels,
    read_listed_files,
    read_originals,
)
from realframe.errors import DatasetError, EmptyFileError, MediaError, NotMediaError, NoVideoStreamError, UnreadableFileError
from realframe.files import join_name
from realframe.media.signature import HEAD_BYTES, MEDIA_SUFFIXES, detect_signature, read_signature
from realframe.settings import get_settings

_RESERVED_BYTES = 64 << 20  # free disk that the copies must leave
_ARCHIVE_STARTS = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!", b"\x28\xb5\x2f\xfd")
_NO_OVERRIDES = FileEntry("")
_NO_OPTIONS = LabelOptions()


@dataclass
class IngestSummary:
    """The result of an ingest: ``file_count`` = ``copied_count`` + ``present_count`` + ``duplicate_count`` + rejected files.

    Files that are not media are not in ``file_count``.

    Attributes:
        batch: the batch folder in ``data/raw``.
        file_count: number of media files in the source, including those that a CSV names but that do not exist.
        copied_count: number of files copied.
        present_count: number of files whose bytes were in ``data/raw`` already.
        duplicate_count: number of files whose bytes occur twice in the source.
        labels: number of copied files that are ``real``, ``fake`` and (an empty string) unlabeled.
        bytes: total size of the copied files.
        rejected: path -> why the media file was not copied.
        skipped: path -> what the file is instead of media; CSV files of labels are read and not listed here.
        notes: sentences on how the labels were read.
    """

    batch: Path
    file_count: int = 0
    copied_count: int = 0
    present_count: int = 0
    duplicate_count: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    rejected: dict[str, MediaError] = field(default_factory=dict)
    skipped: dict[str, MediaError] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def has_unread_files(self) -> bool:
        """Whether a file, a folder or an archive is missing or could not be read, so that the source is not wholly ingested."""
        return any(isinstance(problem, UnreadableFileError | NotMediaError) for problem in self.rejected.values())

    def add(self, other: "IngestSummary", prefix: str) -> None:
        """Add the result of another ingest; ``prefix`` begins the paths of its files."""
        self.batch = self.batch if self.copied_count else other.batch
        for name in ("file_count", "copied_count", "present_count", "duplicate_count", "bytes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.labels += other.labels
        self.rejected |= {f"{prefix}{path}": problem for path, problem in other.rejected.items()}
        self.skipped |= {f"{prefix}{path}": problem for path, problem in other.skipped.items()}
        self.notes += other.notes

    def __str__(self) -> str:
        labels = ", ".join(f"{self.labels[label]} {label or 'unlabeled'}" for label in ("real", "fake", "") if self.labels[label])
        others = f"{self.present_count} already present, {self.duplicate_count} duplicates, {len(self.rejected)} rejected"
        skipped = f"; {len(self.skipped)} skipped, which are not media" if self.skipped else ""
        return f"{self.file_count} files: {self.copied_count} copied{f' ({labels})' if labels else ''}, {others}{skipped}"


def ingest(
    path: Path,
    raw_dir: Path,
    *,
    cache_dir: Path | None = None,
    label_csv: Path | None = None,
    overrides: FileEntry = _NO_OVERRIDES,
    options: LabelOptions = _NO_OPTIONS,
    min_age_s: float = 0.0,
    workers: int = 1,
    taken_down_ids: frozenset[str] = frozenset(),
) -> IngestSummary:
    """Copy the new files of ``path`` into ``raw_dir``; ``path`` itself is never changed.

    Args:
        path: a folder in any layout that ``layouts.py`` reads, one media file, or a CSV of labels (then only the files that it names).
        raw_dir: the living folder of originals.
        cache_dir: holds the digests of files, so that ingesting a folder a second time is fast; default: that of the settings.
        label_csv: the CSV of labels, instead of those in the folder.
        overrides: values for all files, which take precedence over folders and CSV; its path is not used.
        options: how labels are read.
        min_age_s: skip files that changed less than so many seconds ago: they may still be arriving.
        workers: number of threads that read.
        taken_down_ids: ids of items that were taken down; they are rejected.

    Raises:
        LabelConflictError: folders or a CSV contradict each other; or the same bytes are labeled real and fake, in ``path`` or between it
            and ``raw_dir``. Nothing is copied.
        DatasetError: the path does not exist, a CSV is not understood, or the disk is too full.
    """
    folder, labels = _read_labels(path, label_csv, replace(options, label=options.label or overrides.label))
    batch = IngestBatch(raw_dir, folder)
    listed, settled = (labels.entries, 0) if overrides.label else _apply_earlier_decisions(labels.entries, batch, folder)
    entries = [_check_entry(apply_defaults(replace(overrides, path=entry.path), entry), folder, min_age_s) for entry in listed]
    skipped = _find_skipped(folder, entries, labels.texts)
    entries = [entry for entry in entries if entry.path not in skipped]
    if not overrides.label:
        raise_contradictions(path, entries)
    cache = _ensure_folder(cache_dir or get_settings().cache_dir)
    with FileLock(cache / "ingest.lock"), HashIndex(cache / HASH_INDEX_FILE) as hashes:
        batch.remove_partial_copies()
        source = group_by_content(folder, entries, hashes, workers)
        _reject_taken_down(source, taken_down_ids)
        present = group_by_content(raw_dir, read_originals(raw_dir), hashes, workers).items
        new = [content for content in source.items if content not in present]
        summary = IngestSummary(batch.path, len(entries), duplicate_count=source.duplicates, rejected=source.problems, skipped=skipped)
        summary.notes = labels.notes + _note_earlier_decisions(settled)
        summary.present_count = len(source.items) - len(new)
        updates = _merge_with_present(source, present, folder, raw_dir)
        _check_free_space(raw_dir, [folder / source.items[content].path for content in new])
        for content in tqdm(new, desc="copying", unit="file", disable=None):
            updates += _copy_file(batch, folder, source.items[content], content, hashes, summary)
        batch.add_entries(updates)
    return summary


def _read_labels(path: Path, label_csv: Path | None, options: LabelOptions) -> tuple[Path, FolderLabels]:
    """Return the source folder and the entries of its files."""
    if path.is_dir():
        return path, read_folder_labels(path, label_csv, options)
    if not path.is_file():
        raise DatasetError(path, "there is no such file or folder", "Name a folder, a media file or a CSV of labels.")
    if path.suffix.casefold() in (".csv", ".tsv", ".jsonl") and read_signature(path) is None:
        return path.parent, read_listed_files(path, options)
    return path.parent, FolderLabels([read_file_entry(path, label_csv, options)], [], [])


def _apply_earlier_decisions(entries: list[FileEntry], batch: IngestBatch, folder: Path) -> tuple[list[FileEntry], int]:
    """Return the entries, without the contradictions about files that have a label from an earlier ingest, and how many these are."""
    if not any(entry.contradiction and not entry.problem for entry in entries):
        return entries, 0
    decided = {entry.path: entry for entry in batch.read_entries() if entry.label}
    base = batch.path.relative_to(batch.raw_dir)
    settled, count = [], 0
    for entry in entries:
        known = decided.get((base / _stored_name(folder, entry.path)).as_posix()) if entry.contradiction and not entry.problem else None
        if known:
            entry = replace(entry, label=known.label, generator=known.generator, source=known.source, contradiction=None)
            count += 1
        settled.append(entry)
    return settled, count


def _note_earlier_decisions(count: int) -> list[str]:
    sentence = "files keep the label of an earlier ingest, although their label is stated in two ways"
    return [f"{count} {sentence}"] if count else []


def _find_skipped(folder: Path, entries: list[FileEntry], texts: list[str]) -> dict[str, MediaError]:
    """Return the files that are not media, by what they are."""
    skipped: dict[str, MediaError] = {}
    for entry in entries:
        file = folder / entry.path
        try:
            problem = None if entry.problem or not file.is_file() else _find_kind_error(file, entry.path)
        except OSError:
            continue  # it is rejected where it is read
        if problem := problem or (entry.problem if isinstance(entry.problem, NotMediaError) else None):
            skipped[entry.path] = problem
    return skipped | {name: _make_text_error(name) for name in texts if name not in skipped}


def _make_text_error(name: str) -> NotMediaError:
    if name.casefold().endswith((".csv", ".tsv")):
        return NotMediaError(name, "is a table without a known column of labels, groups or splits", "It is not read.")
    return NotMediaError(name, "is a text file", "")


def is_archive(head: bytes) -> bool:
    """Say whether a file that starts with ``head`` is an archive or a compressed file."""
    return head.startswith(_ARCHIVE_STARTS) or head[257:262] == b"ustar"


def _find_kind_error(file: Path, path: str) -> MediaError | None:
    """Return why a file is not media; None where its first bytes are those of an image or a video."""
    with file.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head:
        return EmptyFileError(path, "is empty (0 bytes)", "Copy or download it again.")
    signature = detect_signature(head)
    if signature and signature.kind == "audio":
        return NoVideoStreamError(path, "is a sound recording without pictures", "Ingest the video itself.")
    if signature:
        return None
    if is_archive(head):
        return NotMediaError(path, "is an archive, which is not unpacked", "`realframe ingest PATH --unpack` also ingests what is in it.")
    return NotMediaError(path, "is neither an image nor a video, whatever its name", "")


def _check_entry(entry: FileEntry, folder: Path, min_age_s: float) -> FileEntry:
    """Set the problem of a file that must not be copied: a link that leads out of the folder, or a file that may still be arriving."""
    file = folder / entry.path
    try:
        if entry.problem or not file.exists():
            return entry
    except OSError:  # such as a folder that may be listed, but not entered
        return entry
    if not file.resolve().is_relative_to(folder.resolve()):
        problem = UnreadableFileError(entry.path, "is a link that leads out of the folder", "Ingest the file that it points to.")
        return replace(entry, problem=problem)
    if min_age_s and time.time() - file.stat().st_mtime < min_age_s:
        problem = UnreadableFileError(entry.path, "changed recently and may still be arriving", "The next ingest copies it.")
        return replace(entry, problem=problem)
    return entry


def _reject_taken_down(source: FolderContents, taken_down_ids: frozenset[str]) -> None:
    for content in [content for content in source.items if sha256_of_content(content) in taken_down_ids]:
        path = source.items.pop(content).path
        source.problems[path] = takedown_list.make_taken_down_error(path, sha256_of_content(content))


def _merge_with_present(source: FolderContents, present: dict[str, FileEntry], folder: Path, raw_dir: Path) -> list[FileEntry]:
    """Return the entries of present files to which the source adds something. Raises where the two contradict each other."""
    updates = []
    for content, entry in source.items.items():
        if content in present:
            known = present[content]
            merged = merge_entries(replace(known, path=str(raw_dir / known.path)), replace(entry, path=str(folder / entry.path)))
            update = replace(merged, path=known.path)
            updates += [update] if update != known else []
    return updates


def _copy_file(
    batch: IngestBatch, folder: Path, entry: FileEntry, content: str, hashes: HashIndex, summary: IngestSummary
) -> list[FileEntry]:
    """Copy one file and count it; return its entry in the batch, or none where it changed meanwhile."""
    sha256 = sha256_of_content(content)
    try:
        if sha256 != content:
            raise BlockingIOError(f"{entry.path} was media when it was listed, and is not any more")
        target, copied = batch.copy_file(folder / entry.path, _stored_name(folder, entry.path), sha256)
    except BlockingIOError:
        summary.rejected[entry.path] = UnreadableFileError(entry.path, "changed while it was being copied", "Ingest it again.")
        return []
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            summary.rejected[entry.path] = UnreadableFileError(entry.path, "has a path that is too long to be stored", "Shorten its name.")
            return []
        if (folder / entry.path).exists() and error.filename != str(folder / entry.path):
            raise  # of the target, such as a full disk
        summary.rejected[entry.path] = UnreadableFileError(entry.path, f"cannot be read: {error.strerror}", "Ingest it again.")
        return []
    hashes.add(target, sha256)
    if copied:
        summary.copied_count += 1
        summary.labels[entry.label] += 1
        summary.bytes += target.stat().st_size
    else:
        summary.present_count += 1
    return [replace(entry, path=target.relative_to(batch.raw_dir).as_posix())]


def _stored_name(folder: Path, path: str) -> str:
    """Return the path under which a file is stored: with the suffix of its format added where its own is none of a media file.

    A file can be an image and a program at once; nothing imports or runs ``evil.py.gif``.
    """
    suffix = PurePosixPath(path).suffix.casefold()
    if not suffix or suffix in MEDIA_SUFFIXES:
        return path
    signature = read_signature(folder / path)
    original = PurePosixPath(path)
    return original.with_name(join_name(original.name, f".{signature.container if signature else 'media'}")).as_posix()


def _check_free_space(raw_dir: Path, files: list[Path]) -> None:
    needed = sum(file.stat().st_size for file in files)
    free = shutil.disk_usage(_ensure_folder(raw_dir)).free
    if files and needed + _RESERVED_BYTES > free:
        reason = f"has {free >> 20} MiB free, but the new files need {needed >> 20} MiB"
        raise DatasetError(raw_dir, reason, "Free disk space and ingest again.")


def _ensure_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
