"""Parse the labels and splits in folder names and in CSV files, and combine the entries of one file.

``layouts.py`` reads the labels of a whole folder with these functions.

A :class:`FileEntry` holds what is known of a file before it is opened. The columns of a CSV file are
``file_path,label[,generator,source,group,split,licence]``.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from realframe.errors import DatasetError, LabelConflictError, MediaError, UnlabeledError, UnreadableFileError

_LABEL_WORDS = {
    "real": "real reals 0 0-real authentic original originals original-sequences camera genuine bonafide bona-fide celeb-real youtube-real",
    "fake": "fake fakes 1 1-fake ai ai-generated aigc generated synthetic synthesized synthesised deepfake deepfakes manipulated "
    "manipulated-sequences celeb-synthesis",
}
_LABELS = {word: label for label, words in _LABEL_WORDS.items() for word in words.split()}
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
_CELL_ONLY_WORDS = {"0", "1"}  # a folder named 1 is not a label

ENTRY_COLUMNS = ("label", "generator", "source", "group", "split", "licence")
"""The facts of a file that a folder name or a CSV may state."""
_PATH_COLUMNS = ("file_path", "path", "filename")


@dataclass(frozen=True)
class FileEntry:
    """A file, and what its folder or a CSV states of it; a string is empty where nothing is stated.

    Attributes:
        path: relative to the folder that was read, POSIX.
        label: ``real`` or ``fake``.
        generator: the generator of a fake.
        source: where a real file comes from.
        group: items of one group stay in one split.
        split: ``train``, ``val`` or ``test``.
        licence: the terms of use, in the words of the provider.
        problem: why the file cannot be used.
    """

    path: str
    label: str = ""
    generator: str = ""
    source: str = ""
    group: str = ""
    split: str = ""
    licence: str = ""
    problem: MediaError | None = None


def parse_label(cell: str) -> str:
    """Return ``real`` or ``fake`` for a CSV cell (1 is fake), or an empty string for any other text."""
    return _LABELS.get(_normalize_word(cell), "")


def parse_folder_label(name: str) -> str:
    """Return ``real`` or ``fake`` for a folder's name, or an empty string for any other name."""
    return "" if name in _CELL_ONLY_WORDS else parse_label(name)


def parse_split(word: str) -> str:
    """Return ``train``, ``val`` or ``test`` for a folder's name or a CSV cell, or an empty string for any other text."""
    return _SPLITS.get(_normalize_word(word), "")


def _normalize_word(word: str) -> str:
    return word.strip().casefold().replace("_", "-").replace(" ", "-")


def merge_entries(first: FileEntry, second: FileEntry) -> FileEntry:
    """Merge two entries of the same bytes: values that ``first`` lacks come from ``second``.

    Raises:
        LabelConflictError: one is real and the other fake.
        DatasetError: they name two splits.
    """
    paths = first.path if first.path == second.path else f"{first.path} and {second.path}"
    if first.label and second.label and first.label != second.label:
        raise LabelConflictError(
            paths,
            f"the same bytes are labeled {first.label} and {second.label}",
            "Find out which label is right. Delete the other file or correct its row in the CSV.",
        )
    if first.split and second.split and first.split != second.split:
        raise DatasetError(
            paths,
            f"the same bytes are assigned to the splits {first.split} and {second.split}",
            "Delete one of the files: an item that is trained on cannot be tested on.",
        )
    return replace(first, **{name: getattr(first, name) or getattr(second, name) for name in ENTRY_COLUMNS})


def apply_defaults(entry: FileEntry, defaults: FileEntry) -> FileEntry:
    """Return ``entry`` with its empty values taken from ``defaults``, which it may contradict.

    Where the labels differ, the generator and source of ``defaults`` are dropped: they belong to the other label.
    """
    if entry.label and defaults.label and entry.label != defaults.label:
        defaults = replace(defaults, label="", generator="", source="")
    return replace(entry, **{name: getattr(entry, name) or getattr(defaults, name) for name in (*ENTRY_COLUMNS, "problem")})


def is_label_csv(file: Path) -> bool:
    """Say whether a CSV file labels media files: it has a path column and ``label``. Raises DatasetError where it cannot be read."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            return bool(_find_separator(stream.readline()))
    except OSError as error:
        hint = "It may hold labels. Make it readable or remove it."
        raise DatasetError(file, f"cannot be read: {error.strerror}", hint) from error


def read_label_csv(csv_file: Path, folder: Path) -> list[FileEntry]:
    """Read one CSV of labels.

    Args:
        csv_file: the CSV, UTF-8, separated by comma, semicolon or tab. Its columns: ``file_path`` (or ``path``, ``filename``), ``label``,
            and optionally ``generator``, ``source``, ``group``, ``split``, ``licence`` (or ``license``). Other columns are ignored.
        folder: the folder that the entries' paths are relative to. A path in the CSV is relative to the CSV's folder; where that file does
            not exist, to ``folder``.

    Returns:
        One entry per row, in the CSV's order. An error of a row, such as a missing file or an unknown label, is its ``problem``.

    Raises:
        DatasetError: the file is not a CSV of labels or not UTF-8, or a row names an unknown split.
    """
    try:
        with csv_file.open(encoding="utf-8-sig", newline="") as stream:
            separator = _find_separator(stream.readline())
            if not separator:
                names = ", ".join(f"`{column}`" for column in _PATH_COLUMNS)
                raise DatasetError(csv_file, "is not a CSV of labels", f"Its first line must name `label` and one of {names}.")
            stream.seek(0)
            return list(_read_rows(csv.DictReader(stream, delimiter=separator), csv_file, folder))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(csv_file, f"cannot be read as a CSV: {error}", "Save it as UTF-8 text, one row per file.") from error


def _find_separator(header: str) -> str:
    """Return the separator with which the header names a path column and ``label``; empty where none does."""
    for separator in ",;\t":
        names = {name.strip().strip('"').casefold() for name in header.split(separator)}
        if "label" in names and names.intersection(_PATH_COLUMNS):
            return separator
    return ""


def _read_rows(rows: "csv.DictReader[str]", csv_file: Path, folder: Path) -> Iterator[FileEntry]:
    for raw in rows:
        row = {key.strip().casefold(): (value or "").strip() for key, value in raw.items() if isinstance(key, str)}
        row_name = f"{csv_file.name}, line {rows.line_num}"
        name = next((row[column] for column in _PATH_COLUMNS if row.get(column)), "")
        if name:
            yield _parse_row(name, row, row_name, csv_file, folder)


def _parse_row(name: str, row: dict[str, str], row_name: str, csv_file: Path, folder: Path) -> FileEntry:
    path, problem = _resolve_path(name, row_name, csv_file.parent, folder)
    label, split = parse_label(row["label"]), parse_split(row.get("split", ""))
    if row["label"] and not label and not problem:
        problem = UnlabeledError(path, f"has the label {row['label']!r} in {row_name}: neither real nor fake", "Correct the cell.")
    if row.get("split") and not split:
        raise DatasetError(row_name, f"the split {row['split']!r} is none of train, val, test", "Correct the cell or empty it.")
    licence = row.get("licence") or row.get("license", "")
    return FileEntry(path, label, row.get("generator", ""), row.get("source", ""), row.get("group", ""), split, licence, problem)


def _resolve_path(name: str, row_name: str, csv_folder: Path, folder: Path) -> tuple[str, MediaError | None]:
    """Return a row's path relative to ``folder``, and why it cannot be used."""
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow the links that DVC places
    spellings = [name, name.replace("\\", "/")] if "\\" in name else [name]
    candidates = [Path(os.path.abspath(base / spelling)) for base in (csv_folder, folder) for spelling in spellings]  # noqa: PTH100
    file = next((candidate for candidate in candidates if candidate.is_file()), None)
    path = Path(name).as_posix()
    if file is None:
        return path, UnreadableFileError(path, f"is named in {row_name}, but there is no such file", "Add the file or delete the row.")
    if not file.is_relative_to(root):
        return path, UnreadableFileError(path, f"is named in {row_name}, but is not inside {folder}", "Move it into that folder.")
    return file.relative_to(root).as_posix(), None
