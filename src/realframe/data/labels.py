"""Parse the labels and splits in folder names and CSV cells, and combine the entries of one file.

A :class:`FileEntry` holds what is known of a file before it is opened.
"""

from dataclasses import dataclass, replace

from realframe.errors import DatasetError, LabelConflictError, MediaError

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
