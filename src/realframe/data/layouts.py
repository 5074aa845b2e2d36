"""Read the layout of a folder of media files: the label of each file, and optionally its generator, source, group and split.

Supported layouts:

* ``{real,fake}/**`` anywhere in the path; the nearest folder wins. ``labels.py`` lists synonyms of the two words (``ai``, ``Celeb-real``,
  ``Celeb-synthesis``, ...), in any case;
* ``fake/<generator>/**`` and ``real/<source>/**``;
* ``{train,val,test}/**/{real,fake}/**``: the split is kept;
* CSV files anywhere in the folder, see ``labels.py``. A CSV takes precedence over folder names.
"""

import os
from collections.abc import Iterator
from functools import reduce
from pathlib import Path, PurePosixPath

from realframe.data.labels import FileEntry, apply_defaults, is_label_csv, merge_entries, parse_folder_label, parse_split, read_label_csv
from realframe.errors import MediaError, UnreadableFileError
from realframe.media.signature import read_signature

_TEXT_SUFFIXES = ".csv .tsv .md .txt .json .jsonl .yaml .yml .xml .html .htm .srt .vtt .log .md5 .sha256 .dvc"
_TEXT_NAMES = frozenset(("license", "licence", "readme", "copying", "notice", "authors", "citation"))
_SYSTEM_NAMES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


def read_layout(folder: Path, label_csv: Path | None = None) -> list[FileEntry]:
    """List the files of a folder with their labels, sorted by path.

    Hidden files and text files (CSV, Markdown, JSON, licenses, ...) are skipped, unless a text file turns out to be media; every other file
    is listed, even one that is not media.
    The label of a file is empty where neither a folder nor a CSV states it.

    Args:
        folder: the folder to read, with all its subfolders. Links to folders are not followed, but listed with a problem.
        label_csv: the CSV to read, instead of those in the folder.

    Raises:
        LabelConflictError: two rows give one file both labels.
        DatasetError: a CSV cannot be read, or names an unknown split.
    """
    entries = {entry.path: entry for entry in (_entry_from_folders(folder, path, problem) for path, problem in find_media_files(folder))}
    csv_files = [label_csv] if label_csv else _find_label_csvs(folder)
    for path, entry in _read_label_csvs(csv_files, folder).items():
        entries[path] = apply_defaults(entry, entries.get(path) or _entry_from_folders(folder, path))
    return [entries[path] for path in sorted(entries)]


def read_listed_files(label_csv: Path) -> list[FileEntry]:
    """List only the files that a CSV names, relative to its folder, as :func:`read_layout` does."""
    folder = label_csv.parent
    entries = sorted(_read_label_csvs([label_csv], folder).items())
    return [apply_defaults(entry, _entry_from_folders(folder, path)) for path, entry in entries]


def read_file_entry(file: Path, label_csv: Path | None = None) -> FileEntry:
    """Return the entry of one file, relative to its folder, as :func:`read_layout` does."""
    entries = _read_label_csvs([label_csv] if label_csv else [], file.parent)
    return apply_defaults(entries.get(file.name, FileEntry(file.name)), _entry_from_folders(file.parent, file.name))


def find_media_files(folder: Path) -> Iterator[tuple[str, MediaError | None]]:
    """Yield every file that may be media, relative to the folder, with why it cannot be used."""
    for here, folders, names in os.walk(folder):
        base = Path(here)
        folders[:] = sorted(name for name in folders if _is_visible_name(name))
        for name in [name for name in folders if (base / name).is_symlink()]:
            path = (base / name).relative_to(folder).as_posix()
            yield path, UnreadableFileError(path, "is a link to a folder, which is not followed", "Name that folder itself.")
        for name in sorted(name for name in names if _is_visible_name(name) and not (_is_text(name) and not _is_media(base / name))):
            path = (base / name).relative_to(folder).as_posix()
            yield path, None if _is_utf8(path) else UnreadableFileError(path, "has a name that is not UTF-8", "Rename it.")


def find_text_files(folder: Path) -> Iterator[str]:
    """Yield every visible text file that is neither media nor a CSV of labels, relative to the folder."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if _is_visible_name(name))
        for name in sorted(name for name in names if _is_visible_name(name) and _is_text(name)):
            file = Path(here) / name
            if not _is_media(file) and not (name.casefold().endswith(".csv") and is_label_csv(file)):
                yield os.fsencode(file.relative_to(folder)).decode("utf-8", "replace")


def may_be_media(path: str) -> bool:
    """Say whether a path (parts separated by ``/``) may be media by its name alone: no part is hidden, and it is not a text file."""
    *folders, name = path.split("/")
    return all(_is_visible_name(part) for part in (*folders, name)) and not _is_text(name)


def _find_label_csvs(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*.[cC][sS][vV]") if all(map(_is_visible_name, file.relative_to(folder).parts)))
    return sorted(file for file in files if is_label_csv(file))


def _read_label_csvs(csv_files: list[Path], folder: Path) -> dict[str, FileEntry]:
    """Return the merged entry of each path that the CSV files name."""
    rows: dict[str, list[FileEntry]] = {}
    for csv_file in csv_files:
        for entry in read_label_csv(csv_file, folder):
            rows.setdefault(entry.path, []).append(entry)
    return {path: reduce(merge_entries, entries) for path, entries in rows.items()}


def _entry_from_folders(folder: Path, path: str, problem: MediaError | None = None) -> FileEntry:
    """Read the label from the folder names of a path, with the folder itself as the topmost (``realframe ingest ~/fake`` is enough)."""
    parents = (folder.resolve().name, *PurePosixPath(path).parts[:-1])
    nearest = next((index for index in reversed(range(len(parents))) if parse_folder_label(parents[index])), None)
    if nearest is None:
        return FileEntry(path, problem=problem)
    label = parse_folder_label(parents[nearest])
    below = parents[nearest + 1] if nearest + 1 < len(parents) else ""
    above = (parse_split(name) for name in reversed(parents[1:nearest]))
    split = next((name for name in above if name), "")
    return FileEntry(path, label, below if label == "fake" else "", below if label == "real" else "", split=split, problem=problem)


def _is_visible_name(name: str) -> bool:
    return not name.startswith(".") and name.casefold() not in _SYSTEM_NAMES


def _is_text(name: str) -> bool:
    stem, suffix = os.path.splitext(name.casefold())  # noqa: PTH122
    return suffix in _TEXT_SUFFIXES.split() or (suffix == "" and stem in _TEXT_NAMES)


def _is_media(file: Path) -> bool:
    try:
        return file.is_file() and read_signature(file) is not None  # not a pipe, which would never end
    except OSError:
        return False


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
