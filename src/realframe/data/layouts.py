"""Read the layout of a folder of media files: the label of each file, and optionally its generator, source, group and split.

Supported layouts:

* ``{real,fake}/**`` anywhere in the path; the outermost class folder decides. ``labels.py`` lists synonyms of the two words (``ai``,
  ``authentic``, ...), in any case;
* ``fake/<generator>/**`` and ``real/<source>/**``;
* ``{train,val,test}/**/{real,fake}/**``: the split is kept;
* public data sets, see ``public_layouts.py``;
* CSV files anywhere in the folder, see ``label_table.py``.

Where folders contradict each other, or a CSV contradicts the folders, the entry names the contradiction, and nobody guesses.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path, PurePosixPath

from realframe.data.folder_listing import FolderListing, list_files
from realframe.data.label_table import LabelRow, LabelTable, is_label_table, read_label_table
from realframe.data.labels import (
    ENTRY_COLUMNS,
    LABELS_FILE,
    Contradiction,
    FileEntry,
    LabelOptions,
    apply_defaults,
    is_number_cell,
    merge_entries,
    parse_folder_label,
    parse_split,
)
from realframe.data.public_layouts import FolderTree, list_layout_notes, read_public_entry
from realframe.errors import DatasetError, LabelConflictError, MediaError

_SHEET_SUFFIXES = (".parquet", ".xls", ".xlsx", ".ods")
_STORAGE_FOLDERS = frozenset("raw c0 c23 c40 videos video images image imgs img frames pictures files data".split())  # noqa: SIM905
_EXAMPLES = 3
_NO_OPTIONS = LabelOptions()


@dataclass(frozen=True)
class FolderLabels:
    """The files of a folder and their labels.

    Attributes:
        entries: sorted by path.
        texts: text files that state no labels, relative to the folder.
        notes: sentences on how the labels were read.
    """

    entries: list[FileEntry]
    texts: list[str]
    notes: list[str]


def read_layout(folder: Path, label_csv: Path | None = None, options: LabelOptions = _NO_OPTIONS) -> list[FileEntry]:
    """Return the entries of :func:`read_folder_labels`."""
    return read_folder_labels(folder, label_csv, options).entries


def read_folder_labels(folder: Path, label_csv: Path | None = None, options: LabelOptions = _NO_OPTIONS) -> FolderLabels:
    """List the files of a folder with their labels.

    Hidden files and text files (CSV, Markdown, JSON, licenses, ...) are left out, unless a text file turns out to be media; every other
    file is listed, even one that is not media.
    The label of a file is empty where neither a folder nor a CSV states it. A contradiction is in the entry and is no error here.

    Args:
        folder: the folder to read, with all its subfolders. Links to folders are not followed, but listed with a problem, as is a folder
            that cannot be read.
        label_csv: the CSV to read, instead of those in the folder.
        options: what words mean, and what counts where statements differ.

    Raises:
        LabelConflictError: two rows give one file both labels.
        DatasetError: a table that states labels is not understood or names an unknown split, a table without labels names files that no
            folder labels, or the folder is not of the layout that ``options`` names.
    """
    listing = list_files(folder)
    table_files = [label_csv] if label_csv else _find_label_tables(folder, listing)
    tables, unread = _read_tables(table_files, folder, options)
    tree = FolderTree(folder, tuple(path for path, problem in listing.media.items() if problem is None), options, tuple(listing.texts))
    rows = _group_rows(tables)
    found: Counter[str] = Counter()
    entries, generic, unsupported = list[FileEntry](), list[FileEntry](), 0
    for path in sorted({*listing.media, *rows}):
        layout, default = _entry_from_folders(tree, path, listing.media.get(path))
        found.update([layout] if layout and not default.problem else [])
        entries.append(_combine(rows.get(path, []), default, options))
        generic += [] if layout else entries[-1:]
        unsupported += not default.label and any(_is_bare_number(row, options) for row in rows.get(path, []))
    if options.layout and not found:
        raise DatasetError(folder, f"holds no file of the layout {options.layout}", "See docs/data.md for the folders that it must have.")
    _require_labels([table for table in tables if not table.label_column], entries, options)
    read_files = {os.path.abspath(table.file) for table in tables}  # noqa: PTH100 - as they are listed, through no link
    texts = [text for text in listing.texts if os.path.abspath(folder / text) not in read_files]  # noqa: PTH100
    notes = list_layout_notes(tree, found) + [note for table in tables for note in table.notes] + unread + _note_numbers(unsupported)
    return FolderLabels(entries, texts, notes + _note_overruled_folders(tree, generic))


def read_listed_files(label_csv: Path, options: LabelOptions = _NO_OPTIONS) -> FolderLabels:
    """List only the files that a CSV names, relative to its folder, as :func:`read_folder_labels` does."""
    folder, table = label_csv.parent, read_label_table(label_csv, label_csv.parent, options)
    rows = _group_rows([table])
    tree = FolderTree(folder, tuple(sorted(rows)), options)
    entries = [_combine(rows[path], _entry_from_folders(tree, path)[1], options) for path in sorted(rows)]
    _require_labels([] if table.label_column else [table], entries, options)
    unsupported = sum(_is_bare_number(row, options) for row in table.rows)
    return FolderLabels(entries, [], table.notes + _note_numbers(unsupported))


def read_file_entry(file: Path, label_csv: Path | None = None, options: LabelOptions = _NO_OPTIONS) -> FileEntry:
    """Return the entry of one file, relative to its folder, as :func:`read_folder_labels` does."""
    rows = _group_rows([read_label_table(label_csv, file.parent, options)] if label_csv else [])
    default = _entry_from_folders(FolderTree(file.parent, (file.name,), options), file.name)[1]
    return _combine(rows.get(file.name, []), default, options)


def read_originals(raw_dir: Path) -> list[FileEntry]:
    """List the files of ``data/raw`` with their labels, sorted by path.

    What an ingest wrote into its folder's ``labels.csv`` is the user's decision: folder names add nothing to it and cannot contradict it.

    Raises:
        LabelConflictError: two rows give one file both labels; or, in a folder that was not ingested, statements about a file differ.
        DatasetError: a CSV is not understood.
    """
    written = [file for file in sorted(raw_dir.glob(f"*/{LABELS_FILE}")) if _is_written_by_ingest(file)]
    rows = _group_rows(read_label_table(file, raw_dir) for file in written)
    decided = {path: reduce(merge_entries, [row.entry for row in own]) for path, own in rows.items()}
    listing = list_files(raw_dir)
    if set(listing.media) <= set(decided):
        return [decided[path] for path in sorted(decided)]
    others = {entry.path: entry for entry in read_layout(raw_dir)}
    by_hand = [entry for path, entry in others.items() if path not in decided]
    raise_contradictions(raw_dir, by_hand, "Correct the CSV or the names of the folders there.")
    return [(others | decided)[path] for path in sorted(others | decided)]


def raise_contradictions(folder: Path, entries: Collection[FileEntry], hint: str = "") -> None:
    """Raise LabelConflictError with the count and examples, where the statements about a file's label differ.

    Its hint is ``hint``, or else the options of ``realframe ingest`` that settle it.
    """
    differing = [(entry.path, entry.contradiction) for entry in entries if entry.contradiction and not entry.problem]
    if differing:
        examples = "; ".join(f"{path} is {contradiction.statements}" for path, contradiction in differing[:_EXAMPLES])
        hints = list(dict.fromkeys(contradiction.hint for _, contradiction in differing))[:_EXAMPLES]
        reason = f"the label of {len(differing)} of {len(entries)} files is stated in two ways: {examples}"
        raise LabelConflictError(folder, reason, hint or f"{' '.join(hints)} These are options of `realframe ingest {folder}`.")


def _find_label_tables(folder: Path, listing: FolderListing) -> list[Path]:
    names = {path.rpartition("/")[2] for path in listing.media}
    sheets = [path for path in listing.media if path.casefold().endswith(_SHEET_SUFFIXES)]
    return sorted(folder / path for path in (*listing.texts, *sheets) if is_label_table(folder / path, names))


def _read_tables(files: Iterable[Path], folder: Path, options: LabelOptions) -> tuple[list[LabelTable], list[str]]:
    """Return the tables, and a note for each that is not understood where the folders alone are to be trusted."""
    tables, unread = [], []
    for file in files:
        try:
            tables.append(read_label_table(file, folder, options))
        except DatasetError as error:
            if options.trust != "folders":
                raise
            unread.append(f"{file.name} is ignored: {error.reason}")
    return tables, unread


def _group_rows(tables: Iterable[LabelTable]) -> dict[str, list[LabelRow]]:
    rows: dict[str, list[LabelRow]] = {}
    for table in tables:
        for row in table.rows:
            rows.setdefault(row.entry.path, []).append(row)
    return rows


def _combine(rows: list[LabelRow], default: FileEntry, options: LabelOptions) -> FileEntry:
    """Return what the rows of a file state, with the values that they lack from its folders. Raises LabelConflictError, DatasetError."""
    if not rows:
        return default
    entry = reduce(merge_entries, [row.entry for row in rows])
    if options.trust == "csv" and entry.label:
        return apply_defaults(entry, replace(default, contradiction=None))
    if not entry.label or not default.label or entry.label == default.label or options.label:
        return apply_defaults(entry, default)
    if options.trust == "folders":
        return apply_defaults(replace(entry, label="", generator="", source=""), default)
    row = next(row for row in rows if row.entry.label)
    statements = f"{default.label} by its folders, {entry.label} by {row.place} ({row.cell})"
    hint = "`--trust csv` or `--trust folders` says which of the two counts."
    if is_number_cell(row.cell):
        other = {"real": "fake", "fake": "real"}[entry.label]
        meanings = ",".join(f"{number}={label}" for number, label in sorted({row.cell: other, str(1 - int(row.cell)): entry.label}.items()))
        hint = f"If the numbers mean the opposite in that table: `--labels {meanings}`. Otherwise {hint}"
    return replace(apply_defaults(entry, default), contradiction=Contradiction(statements, hint))


def _require_labels(tables: Collection[LabelTable], entries: Collection[FileEntry], options: LabelOptions) -> None:
    """Raise DatasetError where a table without labels names files that nothing else labels."""
    labels = {entry.path: entry.label or options.label for entry in entries if not entry.problem}
    for table in tables:
        unlabeled = [row.entry.path for row in table.rows if labels.get(row.entry.path) == ""]
        if unlabeled and len(unlabeled) == sum(row.entry.path in labels for row in table.rows):
            reason = f"has no column of labels, and no folder labels the {len(unlabeled)} files that it names, such as {unlabeled[0]}"
            raise DatasetError(table.file, reason, "Add a column `label` (real or fake), or say `--label real` or `--label fake` for all.")


def _entry_from_folders(tree: FolderTree, path: str, problem: MediaError | None = None) -> tuple[str, FileEntry]:
    """Return the public layout of a file, if any, and what its folders state of it."""
    if problem:
        return "", FileEntry(path, problem=problem)
    if public := read_public_entry(tree, path):
        return public
    parts = PurePosixPath(path).parts[:-1]
    labels = [parse_folder_label(part, tree.options, "/".join(parts[: index + 1])) for index, part in enumerate(parts)]
    stated = [index for index, (label, _) in enumerate(labels) if label]
    root_label, is_root_clear = parse_folder_label(tree.root_name, tree.options)
    if root_label and not any(labels[index][1] or not is_root_clear for index in stated):
        label, is_clear, place, name = root_label, is_root_clear, -1, tree.root_name  # `realframe ingest ~/fake` is enough
    elif stated:
        (label, is_clear), place, name = labels[stated[0]], stated[0], parts[stated[0]]
    else:
        return "", FileEntry(path, split=_find_sibling_split(tree, parts))
    below, split_below = _find_name_below(tree, parts, place)
    split = next((split for part in parts[: max(place, 0)] if (split := parse_split(part))), split_below)
    entry = FileEntry(path, label, below if label == "fake" else "", below if label == "real" else "", split=split)
    for index in stated:
        other, is_other_clear = labels[index]
        if index > place and other != label and (is_other_clear or not is_clear):
            statements = f"{label} by the folder {name}/, {other} by the folder {parts[index]}/ in it"
            hint = f"`--labels {name}=none` or `--labels {parts[index]}=none` says which of the names is no label."
            return "", replace(entry, contradiction=Contradiction(statements, hint))
    return "", entry


def _find_name_below(tree: FolderTree, parts: tuple[str, ...], place: int) -> tuple[str, str]:
    """Return the name of a generator or source below the class folder, and the split of a folder between the two.

    A folder of a split counts as such only beside another one: real/train may hold photos of trains.
    """
    split = ""
    for index in range(place + 1, len(parts)):
        if not split and (split := _find_sibling_split(tree, parts, index)):
            continue
        if parts[index].casefold() not in _STORAGE_FOLDERS:
            return parts[index], split
    return "", split


def _find_sibling_split(tree: FolderTree, parts: tuple[str, ...], start: int | None = None) -> str:
    """Return the split that a folder names, where folders of other splits lie beside it: at ``start``, or the outermost one."""
    for index in range(len(parts)) if start is None else [start]:
        siblings = {parse_split(name) for name in tree.children.get("/".join(parts[:index]), ())} - {""}
        if parse_split(parts[index]) and "train" in siblings and len(siblings) > 1:
            return parse_split(parts[index])
    return ""


def _is_bare_number(row: LabelRow, options: LabelOptions) -> bool:
    return bool(row.entry.label) and is_number_cell(row.cell) and row.cell not in options.meanings and not options.label


def _note_numbers(count: int) -> list[str]:
    """Return a sentence on the files whose label is a number that no folder supports."""
    meaning = "0 is read as real and 1 as fake. If it is the other way round: `--labels 0=fake,1=real`"
    return [f"{count} labels are numbers, and no folder says what they mean: {meaning}"] if count else []


def _note_overruled_folders(tree: FolderTree, entries: Collection[FileEntry]) -> list[str]:
    """Return a sentence on the files below folders such as ``fake/sdxl/camera``, whose inner name would mean the other class."""
    overruled: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        inner = [(part, parse_folder_label(part, tree.options)) for part in PurePosixPath(entry.path).parts[:-1]]
        names = [part for part, (label, is_clear) in inner if entry.label and label and label != entry.label and not is_clear]
        overruled.update([(names[-1], entry.label)] if names and not entry.contradiction else [])
    rows = sorted(overruled.items())
    return [f"files in folders named {name} are {label}, since the outer folder decides ({count})" for (name, label), count in rows]


def _is_written_by_ingest(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as stream:
            return stream.readline().rstrip("\n") == ",".join(("file_path", *ENTRY_COLUMNS))
    except (OSError, UnicodeDecodeError):
        return False
