"""Reading the CSV files that say what media files are: ``file_path,label[,generator,source,group,split,licence]``."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from realframe.data.labels import FileEntry, label_of_cell, split_of
from realframe.errors import DatasetError, MediaError, UnlabelledError, UnreadableFileError

_PATH_COLUMNS = ("file_path", "path", "filename")


def is_sheet(file: Path) -> bool:
    """Say whether a CSV file labels media files: it has a path column and ``label``. Raises DatasetError where it can't be read."""
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
            return bool(_columns(stream.readline()))
    except OSError as error:
        raise DatasetError(
            file, f"can't be read: {error.strerror}", "It may say what the files are: make it readable or remove it."
        ) from error


def read_sheet(sheet: Path, folder: Path) -> list[FileEntry]:
    """Read one CSV of labels.

    Args:
        sheet: the CSV, UTF-8, separated by comma, semicolon or tab. Its columns: ``file_path`` (or ``path``, ``filename``), ``label``,
            and where known ``generator``, ``source``, ``group``, ``split``, ``licence`` (or ``license``). Other columns are passed over.
        folder: the folder that the entries' paths are relative to. A path in the CSV is relative to the CSV's folder; where there is no
            such file, to ``folder``.

    Returns:
        One entry per row, in the CSV's order; what is wrong with it (such as: no such file, no such label) is its ``problem``.

    Raises:
        DatasetError: not a CSV of labels, not UTF-8, or a split that is none.
    """
    try:
        with sheet.open(encoding="utf-8-sig", newline="") as stream:
            separator = _columns(stream.readline())
            if not separator:
                raise DatasetError(
                    sheet,
                    "is no CSV of labels",
                    f"Its first line must name `label` and one of {', '.join(f'`{c}`' for c in _PATH_COLUMNS)}.",
                )
            stream.seek(0)
            return list(_entries(csv.DictReader(stream, delimiter=separator), sheet, folder))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(sheet, f"can't be read as a CSV: {error}", "Save it as UTF-8 text, one row per file.") from error


def _columns(header: str) -> str:
    """Return the separator under which the header names a path column and ``label``; empty where none does."""
    for separator in ",;\t":
        names = {name.strip().strip('"').casefold() for name in header.split(separator)}
        if "label" in names and names.intersection(_PATH_COLUMNS):
            return separator
    return ""


def _entries(rows: "csv.DictReader[str]", sheet: Path, folder: Path) -> Iterator[FileEntry]:
    for raw in rows:
        row = {key.strip().casefold(): (value or "").strip() for key, value in raw.items() if isinstance(key, str)}
        row_name = f"{sheet.name}, line {rows.line_num}"
        name = next((row[column] for column in _PATH_COLUMNS if row.get(column)), "")
        if name:
            yield _entry(name, row, row_name, sheet, folder)


def _entry(name: str, row: dict[str, str], row_name: str, sheet: Path, folder: Path) -> FileEntry:
    path, problem = _located(name, row_name, sheet.parent, folder)
    label, split = label_of_cell(row["label"]), split_of(row.get("split", ""))
    if row["label"] and not label and not problem:
        problem = UnlabelledError(path, f"has the label {row['label']!r} in {row_name}: neither real nor fake", "Mend the cell.")
    if row.get("split") and not split:
        raise DatasetError(row_name, f"the split {row['split']!r} is none of train, val, test", "Mend the cell or empty it.")
    return FileEntry(path, label, row.get("generator", ""), row.get("source", ""), row.get("group", ""), split, _licence(row), problem)


def _licence(row: dict[str, str]) -> str:
    return row.get("licence") or row.get("license", "")


def _located(name: str, row_name: str, beside: Path, folder: Path) -> tuple[str, MediaError | None]:
    """Return a row's path relative to ``folder``, and what is wrong with it."""
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow the links that DVC places
    spellings = [name, name.replace("\\", "/")] if "\\" in name else [name]
    candidates = [Path(os.path.abspath(base / spelling)) for base in (beside, folder) for spelling in spellings]  # noqa: PTH100
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    path = Path(name).as_posix()
    if found is None:
        return path, UnreadableFileError(path, f"is named in {row_name}, but there is no such file", "Add the file or delete the row.")
    if not found.is_relative_to(root):
        return path, UnreadableFileError(path, f"is named in {row_name}, but lies outside of the folder", "Move it into the folder.")
    return found.relative_to(root).as_posix(), None
