"""Read the tables in a folder that state labels: CSV, TSV and JSON-lines files.

The columns of a table are ``file_path,label[,generator,source,group,split,licence]``; ``_PATH_COLUMNS`` and ``_LABEL_COLUMNS`` list the
other names for the first two. What cannot be understood with certainty is an error: a table that is read wrongly, or not at all, loses
labels, groups and splits in silence.
"""

import codecs
import csv
import io
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from realframe.data.labels import ENTRY_COLUMNS, FileEntry, LabelOptions, parse_label, parse_split
from realframe.errors import DatasetError, MediaError, UnlabeledError, UnreadableFileError

_PATH_COLUMNS = """file_path path filename file_name filepath file image image_path img_path image_name video video_path video_name
    media media_path""".split()  # noqa: SIM905
_BOOLEAN_COLUMNS = ("is_fake", "is_real")
_LABEL_COLUMNS = ("label", "labels", "target", "class", *_BOOLEAN_COLUMNS)
_SPLIT_COLUMNS = ("split", "subset", "partition")
_FACT_COLUMNS = (*_LABEL_COLUMNS, *_SPLIT_COLUMNS, "generator", "source", "group", "licence", "license")
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
_TABLE_SUFFIXES = (".csv", ".tsv")
_UNREAD_SUFFIXES = (".json", ".parquet", ".xls", ".xlsx", ".ods")
_LABEL_STEMS = ("label", "labels")  # a file of this name must be understood, whatever it holds
_SNIFFED_BYTES, _SNIFFED_ROWS = 1 << 16, 200
_SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class LabelRow:
    """A row of a table.

    Attributes:
        entry: what it states of a file.
        place: the table's name and the line.
        cell: its label as written, after the column's name where that says what is counted.
    """

    entry: FileEntry
    place: str
    cell: str


@dataclass(frozen=True)
class LabelTable:
    """A table that was understood.

    Attributes:
        file: the table.
        rows: its rows, in its order.
        label_column: the column of its labels; empty where it has none.
        notes: what the reader of the summary must know: columns that are not read.
    """

    file: Path
    rows: list[LabelRow]
    label_column: str
    notes: list[str]


@dataclass(frozen=True)
class _Grid:
    """The cells of a table: the columns in lower case, and (line, cells by column) of each row."""

    columns: list[str]
    rows: list[tuple[int, dict[str, str]]]


def is_label_table(file: Path, media_names: Collection[str]) -> bool:
    """Say whether a file states something of media files, so that it must be understood: by its name, its columns or its cells.

    Args:
        file: any file.
        media_names: the names of the media files in the folder.

    Raises:
        DatasetError: it cannot be read.
    """
    stem, suffix = file.stem.casefold(), file.suffix.casefold()
    if stem in _LABEL_STEMS and suffix in (*_TABLE_SUFFIXES, *_UNREAD_SUFFIXES, ".jsonl"):
        return True
    if suffix not in _TABLE_SUFFIXES and (stem, suffix) not in {("metadata", ".jsonl"), ("labels", ".txt")}:
        return False
    try:
        with file.open("rb") as stream:
            text = _decode(stream.read(_SNIFFED_BYTES), errors="replace").replace("\0", "")
    except OSError as error:
        raise DatasetError(file, f"cannot be read: {error.strerror}", "It may hold labels. Make it readable or remove it.") from error
    if suffix == ".jsonl":
        return any(f'"{name}"' in text for name in _PATH_COLUMNS)
    lines = [line for line in text.splitlines() if line.strip()][:_SNIFFED_ROWS]
    cells = {cell for line in lines for separator in _SEPARATORS for cell in _split_line(line, separator)}
    names_media = any(PurePosixPath(cell.replace("\\", "/")).name in media_names for cell in cells if cell)
    columns, words = _find_columns(text)[1], {cell.casefold() for cell in cells}
    if names_media and (words.intersection(_FACT_COLUMNS) or any(parse_label(cell) or parse_split(cell) for cell in cells)):
        return True
    return any(name in columns for name in _PATH_COLUMNS) and any(name in columns for name in _FACT_COLUMNS)


def read_label_table(file: Path, folder: Path, options: LabelOptions | None = None) -> LabelTable:
    """Read a table of labels.

    Args:
        file: UTF-8, or UTF-16 with a byte order mark; separated by comma, semicolon, tab or ``|``. Comment lines (``#``) and ``sep=`` may
            come before the columns. Or JSON lines, one object a file.
        folder: the folder that the entries' paths are relative to. A path in the table is relative to the table's folder; where that file
            does not exist, to ``folder``.
        options: may give the meaning of the words in its cells.

    Returns:
        The table. An error of a row, such as a missing file or an unknown label, is its entry's ``problem``.

    Raises:
        DatasetError: the table is not understood, or a row names an unknown split.
    """
    options = options or LabelOptions()
    if file.suffix.casefold() in _UNREAD_SUFFIXES:
        raise DatasetError(file, f"may hold labels, but {file.suffix} files are not read", "Save it as CSV (UTF-8), one row per file.")
    try:
        text = _decode(file.read_bytes())
        grid = _parse_json_lines(text) if file.suffix.casefold() == ".jsonl" else _parse_csv(text)
    except (OSError, UnicodeError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(file, f"cannot be read as a table: {reason}", "Save it as a CSV in UTF-8, one row per file.") from error
    paths = next((name for name in _PATH_COLUMNS if name in grid.columns), "")
    if not paths:
        raise _not_understood(file, f"has no column that names files; its first line is {', '.join(grid.columns)[:120] or 'empty'}")
    labels = _choose_label_column(file, grid, options)
    splits = next((name for name in _SPLIT_COLUMNS if name in grid.columns and (name == "split" or _are_splits(grid, name))), "")
    if not labels and not splits and not any(name in grid.columns for name in ENTRY_COLUMNS):
        raise _not_understood(file, f"has no column of labels; its columns are {', '.join(grid.columns)[:120]}")
    rows = [_parse_row(file, line, cells, (paths, labels, splits), folder, options) for line, cells in grid.rows if cells.get(paths)]
    return LabelTable(file, rows, labels, _note_unread_columns(file, grid, {paths, labels, splits}))


def _not_understood(file: Path, reason: str) -> DatasetError:
    hint = "Name its columns in the first line: file_path,label (real or fake) and optionally generator,source,group,split,licence."
    return DatasetError(file, f"is not understood as a table of labels: it {reason}", f"{hint} Or ignore it: `--trust folders`.")


def _decode(data: bytes, errors: str = "strict") -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors)
    if b"\0" in data and errors == "strict":
        raise ValueError("it holds NUL bytes, as UTF-16 without a byte order mark does")
    return data.decode("utf-8-sig", errors)


def _split_line(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]


def _find_columns(text: str) -> tuple[int, list[str], str]:
    """Return the number of lines before the columns, the columns in lower case, and the separator under which most are known."""
    lines, start, stated = text.splitlines(), 0, ""
    while start < len(lines) and (not lines[start].strip() or lines[start].startswith("#") or lines[start].casefold().startswith("sep=")):
        stated = lines[start][4:5] or "\t" if lines[start].casefold().startswith("sep=") else stated
        start += 1
    header = lines[start] if start < len(lines) else ""
    known = {*_PATH_COLUMNS, *_FACT_COLUMNS}
    found = {separator: [name.casefold() for name in _split_line(header, separator)] for separator in stated or _SEPARATORS}
    best = max(found, key=lambda separator: (len(known.intersection(found[separator])), len(found[separator])))
    return start, found[best], best


def _parse_csv(text: str) -> _Grid:
    start, columns, separator = _find_columns(text)
    reader = csv.reader(io.StringIO("".join(text.splitlines(keepends=True)[start:])), delimiter=separator)
    next(reader, None)
    rows = [(start + reader.line_num, dict(zip(columns, (cell.strip() for cell in cells), strict=False))) for cells in reader if cells]
    return _Grid(columns, rows)


def _parse_json_lines(text: str) -> _Grid:
    rows = [(number, json.loads(line)) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not all(isinstance(row, dict) for _, row in rows):
        raise ValueError("a line is not a JSON object")
    flat = [(number, {key.casefold(): "" if value is None else str(value) for key, value in row.items()}) for number, row in rows]
    return _Grid(list(dict.fromkeys(key for _, row in flat for key in row)), flat)


def _choose_label_column(file: Path, grid: _Grid, options: LabelOptions) -> str:
    """Return the column of the labels: ``label``, or another one whose cells are all labels."""
    for name in (name for name in _LABEL_COLUMNS if name in grid.columns):
        cells = Counter(cells[name] for _, cells in grid.rows if cells.get(name))
        unknown = [cell for cell in cells if not _parse_cell(name, cell, options)]
        if cells and name == "label" and len(unknown) == len(cells):
            meanings = ",".join(f"{cell}=real" for cell in unknown[:2])
            reason = f"has a column `label`, but none of its values means real or fake: {', '.join(map(repr, unknown[:5]))}"
            raise DatasetError(file, reason, f"Say what they mean, such as `--labels {meanings}`, each with real, fake or none.")
        if name == "label" or not unknown:
            return name
    return ""


def _are_splits(grid: _Grid, name: str) -> bool:
    return all(parse_split(cells[name]) for _, cells in grid.rows if cells.get(name))


def _parse_cell(column: str, cell: str, options: LabelOptions) -> str:
    if column in _BOOLEAN_COLUMNS:
        answer = _BOOLEANS.get(cell.casefold())
        return "" if answer is None else ("fake" if answer == (column == "is_fake") else "real")
    return parse_label(cell, options)


def _parse_row(
    file: Path, line: int, cells: dict[str, str], columns: tuple[str, str, str], folder: Path, options: LabelOptions
) -> LabelRow:
    paths, labels, splits = columns
    place, cell, split_cell = f"{file.name}, line {line}", cells.get(labels, ""), cells.get(splits, "")
    path, problem = _resolve_path(cells[paths], place, file.parent, folder)
    label, split = _parse_cell(labels, cell, options), parse_split(split_cell)
    if cell and not label and not problem and cell.casefold() not in options.meanings:
        hint = f"Correct the cell, or say what it means: `--labels {cell}=real`."
        problem = UnlabeledError(path, f"has the label {cell!r} in {place}: neither real nor fake", hint)
    if split_cell and not split:
        raise DatasetError(place, f"the split {split_cell!r} is none of train, val, test", "Correct the cell or empty it.")
    generator, source, group = (cells.get(name, "") for name in ("generator", "source", "group"))
    licence = cells.get("licence") or cells.get("license", "")
    written = f"{labels} {cell}" if labels in _BOOLEAN_COLUMNS else cell
    return LabelRow(FileEntry(path, label, generator, source, group, split, licence, problem), place, written)


def _resolve_path(name: str, place: str, table_folder: Path, folder: Path) -> tuple[str, MediaError | None]:
    """Return a row's path relative to ``folder``, and why it cannot be used."""
    root = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow the links that DVC places
    spellings = [name, name.replace("\\", "/")] if "\\" in name else [name]
    candidates = [Path(os.path.abspath(base / spelling)) for base in (table_folder, folder) for spelling in spellings]  # noqa: PTH100
    file = next((candidate for candidate in candidates if _is_file(candidate)), None)
    path = Path(name).as_posix()
    if file is None:
        return path, UnreadableFileError(path, f"is named in {place}, but there is no such file", "Add the file or delete the row.")
    if not file.is_relative_to(root):
        return path, UnreadableFileError(path, f"is named in {place}, but is not inside {folder}", "Move it into that folder.")
    return file.relative_to(root).as_posix(), None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a folder that cannot be read, a name that is too long or holds a NUL
        return False


def _note_unread_columns(file: Path, grid: _Grid, read: Iterable[str]) -> list[str]:
    unread = [name for name in grid.columns if name and name not in {*read, *ENTRY_COLUMNS, "license"}]
    return [f"{file.name}: these columns are not read: {', '.join(unread)}"] if unread else []
