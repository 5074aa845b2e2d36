"""The files of a folder by what they hold, so that the same bytes under two names are one media item."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bonafide.dataset.entries import Entry, merged
from bonafide.dataset.hashes import HashIndex
from bonafide.errors import MediaError, UnreadableFileError
from bonafide.media.signature import HEAD_BYTES, sniff


@dataclass
class Contents:
    """What a folder holds. Its ``items``, ``duplicates`` and ``problems`` together are all its files.

    Attributes:
        items: content -> entry, in the order of the paths. The content is the SHA-256 of the bytes, and for what is no media its path
            too: two empty files, or one error page saved under two names, must not stop a run as one item with two labels.
        duplicates: files whose bytes stand under an earlier path.
        problems: path -> what is wrong with the file.
    """

    items: dict[str, Entry] = field(default_factory=dict)
    duplicates: int = 0
    problems: dict[str, MediaError] = field(default_factory=dict)


def by_content(folder: Path, entries: Sequence[Entry], hashes: HashIndex, workers: int) -> Contents:
    """Read the files of ``folder`` that ``entries`` name.

    Raises:
        LabelConflictError: the same bytes are labelled real and fake.
        DatasetError: the same bytes are given to two splits.
    """
    contents = Contents(problems={entry.path: entry.problem for entry in entries if entry.problem})
    fit = {folder / entry.path: entry for entry in entries if not entry.problem}
    digests = hashes.sha256(fit, workers)
    for file, entry in fit.items():
        digest = digests[file]
        if isinstance(digest, OSError):
            contents.problems[entry.path] = UnreadableFileError(
                entry.path, f"can't be read: {digest.strerror}", "Check its permissions and the disk."
            )
            continue
        content = digest if _is_media(file) else f"{digest}:{entry.path}"
        if content in contents.items:
            contents.duplicates += 1
            contents.items[content] = merged(contents.items[content], entry)
        else:
            contents.items[content] = entry
    return contents


def sha256_in(content: str) -> str:
    """Return the SHA-256 of a content of :class:`Contents`."""
    return content.partition(":")[0]


def _is_media(file: Path) -> bool:
    with file.open("rb") as stream:
        return sniff(stream.read(HEAD_BYTES)) is not None
