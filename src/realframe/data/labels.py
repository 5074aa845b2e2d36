"""Parse the words for labels and splits in folder names and tables, and combine the entries of one file.

``layouts.py`` reads the labels of a whole folder with these functions, ``label_table.py`` those of a CSV file.

A :class:`FileEntry` holds what is known of a file before it is opened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from realframe.errors import DatasetError, LabelConflictError, MediaError

_CLEAR_WORDS = {
    "real": "real reals 0-real authentic genuine bonafide bona-fide original-sequences celeb-real youtube-real",
    "fake": "fake fakes 1-fake ai-generated aigc manipulated-sequences celeb-synthesis",
}
_AMBIGUOUS_WORDS = {  # words that also name a category of pictures or a whole data set: fake/sdxl/camera, deepfakes/real
    "real": "original originals camera",
    "fake": "ai generated synthetic synthesized synthesised deepfake deepfakes manipulated",
}
_NUMBERS = {"0": "real", "1": "fake"}  # in a table only: a folder named 1 is not a label
_CLEAR = {word: label for label, words in _CLEAR_WORDS.items() for word in words.split()}
_AMBIGUOUS = {word: label for label, words in _AMBIGUOUS_WORDS.items() for word in words.split()}
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}

ENTRY_COLUMNS = ("label", "generator", "source", "group", "split", "licence")
"""The facts of a file that a folder name or a CSV may state."""
LABELS_FILE = "labels.csv"
"""The table that an ingest writes into each of its folders in ``data/raw``."""
FEEDBACK_SOURCE = "feedback"
"""The source of files whose label people agreed on. No later ingest changes that label."""
_GROUP_SEPARATOR = "|"


@dataclass(frozen=True)
class Contradiction:
    """Two statements about one file's label that differ.

    Attributes:
        statements: what says what, for example ``real by the folder real/, fake by labels.csv, line 2``.
        hint: the options that settle it.
    """

    statements: str
    hint: str


@dataclass(frozen=True)
class FileEntry:
    """A file, and what its folder or a CSV states of it; a string is empty where nothing is stated.

    Attributes:
        path: relative to the folder that was read, POSIX.
        label: ``real`` or ``fake``.
        generator: the generator of a fake.
        source: where a real file comes from.
        group: items of one group stay in one split. An item of several groups names them all, separated by ``|``.
        split: ``train``, ``val`` or ``test``.
        licence: the terms of use, in the words of the provider.
        problem: why the file cannot be used.
        contradiction: the statements about its label that differ; ``label`` is then one of the two.
    """

    path: str
    label: str = ""
    generator: str = ""
    source: str = ""
    group: str = ""
    split: str = ""
    licence: str = ""
    problem: MediaError | None = None
    contradiction: Contradiction | None = None


@dataclass(frozen=True)
class LabelOptions:
    """How to read labels.

    Attributes:
        meanings: word of a cell or folder, or path of a folder -> ``real``, ``fake``, or an empty string where it is no label.
        trust: what counts where a CSV and the folders contradict each other; empty: neither.
        layout: the name of a public data set's layout (``public_layouts.py``); empty: detected where it is certain.
        label: the label of all files; then neither folders nor tables need to state one, and none contradicts it.
    """

    meanings: Mapping[str, str] = field(default_factory=dict)
    trust: Literal["", "csv", "folders"] = ""
    layout: str = ""
    label: str = ""


def parse_meanings(text: str) -> dict[str, str]:
    """Parse the meanings of words, such as ``0=fake,1=real,camera=none``. Raises DatasetError where a part is not of this form."""
    meanings = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, separator, label = part.rpartition("=")
        if not separator or not word.strip() or label.strip() not in ("real", "fake", "none"):
            hint = "Write WORD=real, WORD=fake or WORD=none, separated by commas: `--labels 0=fake,1=real`."
            raise DatasetError("--labels", f"{part!r} does not say what a word means", hint)
        meanings[_normalize_key(word)] = label.strip().replace("none", "")
    return meanings


def parse_label(cell: str, options: LabelOptions | None = None) -> str:
    """Return ``real`` or ``fake`` for a CSV cell (1 is fake), or an empty string for any other text."""
    word = normalize_word(cell)
    return ({**_CLEAR, **_AMBIGUOUS, **_NUMBERS} | dict(options.meanings if options else {})).get(word, "")


def is_number_cell(cell: str) -> bool:
    """Say whether a CSV cell is 0 or 1, which mean nothing by themselves."""
    return cell.strip() in _NUMBERS


def parse_folder_label(name: str, options: LabelOptions | None = None, path: str = "") -> tuple[str, bool]:
    """Return ``real`` or ``fake`` for a folder, or an empty string; and whether its name can mean nothing else.

    Args:
        name: the folder's name.
        options: may give the meaning of the name or of the path.
        path: the folder's path below the folder that is read.
    """
    word, meanings = normalize_word(name), options.meanings if options else {}
    for key in (_normalize_key(path), word) if path else (word,):
        if key in meanings and word not in _NUMBERS:
            return meanings[key], True
    return (_CLEAR[word], True) if word in _CLEAR else (_AMBIGUOUS.get(word, ""), False)


def parse_split(word: str) -> str:
    """Return ``train``, ``val`` or ``test`` for a folder's name or a CSV cell, or an empty string for any other text."""
    return _SPLITS.get(normalize_word(word), "")


def split_groups(group: str) -> list[str]:
    """Return the names of an item's groups."""
    return [name for name in (part.strip() for part in group.split(_GROUP_SEPARATOR)) if name]


def join_groups(*groups: str) -> str:
    """Return the cell for an item of all these groups, sorted; each may be a cell itself."""
    return _GROUP_SEPARATOR.join(sorted({name for group in groups for name in split_groups(group)}))


def normalize_word(word: str) -> str:
    """Return a word as it is compared: in lower case, with hyphens."""
    return word.strip().casefold().replace("_", "-").replace(" ", "-")


def _normalize_key(word: str) -> str:
    """Normalize a word, or each part of a path."""
    return "/".join(normalize_word(part) for part in word.strip().strip("/").split("/"))


def merge_entries(first: FileEntry, second: FileEntry) -> FileEntry:
    """Merge two entries of the same bytes: values that ``first`` lacks come from ``second``, and the groups of both hold.

    A label that people agreed on counts over another label: whoever stated that one was corrected.

    Raises:
        LabelConflictError: one is real and the other fake.
        DatasetError: they name two splits.
    """
    if first.label and second.label and first.label != second.label:
        if first.source == FEEDBACK_SOURCE:
            second = replace(second, label="", generator="", source="")
        elif second.source == FEEDBACK_SOURCE:
            first = replace(first, label="", generator="", source="")
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
    merged = replace(first, **{name: getattr(first, name) or getattr(second, name) for name in ENTRY_COLUMNS})
    is_same = first.group == second.group or not (first.group and second.group)
    return merged if is_same else replace(merged, group=join_groups(first.group, second.group))


def apply_defaults(entry: FileEntry, defaults: FileEntry) -> FileEntry:
    """Return ``entry`` with its empty values taken from ``defaults``, which it may contradict.

    Where the labels differ, the generator and source of ``defaults`` are dropped: they belong to the other label.
    """
    if entry.label and defaults.label and entry.label != defaults.label:
        defaults = replace(defaults, label="", generator="", source="")
    names = (*ENTRY_COLUMNS, "problem", "contradiction")
    return replace(entry, **{name: getattr(entry, name) or getattr(defaults, name) for name in names})
