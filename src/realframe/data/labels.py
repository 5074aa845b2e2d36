"""The words by which people name the classes and the splits, in folder names and in CSV cells.

What is known of one file before it is opened, and how two sayings about the same bytes become one.
"""

from dataclasses import dataclass, replace

from realframe.errors import DatasetError, LabelConflictError, MediaError

_WORDS = {
    "real": "real reals 0 0-real authentic original originals original-sequences camera genuine bonafide bona-fide celeb-real youtube-real",
    "fake": "fake fakes 1 1-fake ai ai-generated aigc generated synthetic synthesized synthesised deepfake deepfakes manipulated "
    "manipulated-sequences celeb-synthesis",
}
_LABELS = {word: label for label, words in _WORDS.items() for word in words.split()}
_SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test", "testing": "test"}
_ONLY_IN_CELLS = {"0", "1"}


def label_of_cell(word: str) -> str:
    """Return ``real`` or ``fake`` for a CSV cell (1 is fake), or an empty string where it says neither."""
    return _LABELS.get(_plain(word), "")


def label_of_folder(name: str) -> str:
    """Return ``real`` or ``fake`` for a folder's name, or an empty string where it says neither."""
    return "" if name in _ONLY_IN_CELLS else label_of_cell(name)


def split_of(word: str) -> str:
    """Return ``train``, ``val`` or ``test`` for a folder's name or a CSV cell, or an empty string where it says none."""
    return _SPLITS.get(_plain(word), "")


def _plain(word: str) -> str:
    return word.strip().casefold().replace("_", "-").replace(" ", "-")


SAID = ("label", "generator", "source", "group", "split", "licence")
"""What a folder or a CSV may say of a file."""


@dataclass(frozen=True)
class FileEntry:
    """A file and what its folder or a CSV says of it; a string is empty where nothing is said.

    Attributes:
        path: relative to the folder that was read, POSIX.
        label: ``real`` or ``fake``.
        generator: what made it, where it is fake.
        source: where it comes from.
        group: items of one group stay in one split.
        split: ``train``, ``val`` or ``test``.
        licence: under which it may be used, in the words of whom it comes from.
        problem: why it can't be taken as it is.
    """

    path: str
    label: str = ""
    generator: str = ""
    source: str = ""
    group: str = ""
    split: str = ""
    licence: str = ""
    problem: MediaError | None = None


def merged(first: FileEntry, second: FileEntry) -> FileEntry:
    """Return ``first``, with what only ``second`` says of the same bytes filled in.

    Raises:
        LabelConflictError: one is real and the other fake.
        DatasetError: they stand in two splits.
    """
    both = first.path if first.path == second.path else f"{first.path} and {second.path}"
    if first.label and second.label and first.label != second.label:
        raise LabelConflictError(
            both,
            f"the same bytes are labelled {first.label} and {second.label}",
            "Find out which is right, and delete the other file or mend its row in the CSV.",
        )
    if first.split and second.split and first.split != second.split:
        raise DatasetError(
            both,
            f"the same bytes are given to the splits {first.split} and {second.split}",
            "Delete one of them: what is trained on can't be tested on.",
        )
    return replace(first, **{name: getattr(first, name) or getattr(second, name) for name in SAID})


def overlaid(said: FileEntry, below: FileEntry) -> FileEntry:
    """Return ``said``, with what it leaves open taken from ``below``, which it may contradict.

    Under another label the generator and source that were read beside the old one name nothing, so they are dropped.
    """
    if said.label and below.label and said.label != below.label:
        below = replace(below, label="", generator="", source="")
    return replace(said, **{name: getattr(said, name) or getattr(below, name) for name in (*SAID, "problem")})
