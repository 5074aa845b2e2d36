"""What is known of one file before it is opened, and how two sayings about the same bytes become one."""

from dataclasses import dataclass, replace

from bonafide.errors import DatasetError, LabelConflictError, MediaError

SAID = ("label", "generator", "source", "group", "split", "licence")
"""What a folder or a CSV may say of a file."""


@dataclass(frozen=True)
class Entry:
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


def merged(first: Entry, second: Entry) -> Entry:
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


def overlaid(said: Entry, below: Entry) -> Entry:
    """Return ``said``, with what it leaves open taken from ``below``, which it may contradict.

    Under another label the generator and source that were read beside the old one name nothing, so they are dropped.
    """
    if said.label and below.label and said.label != below.label:
        below = replace(below, label="", generator="", source="")
    return replace(said, **{name: getattr(said, name) or getattr(below, name) for name in (*SAID, "problem")})
