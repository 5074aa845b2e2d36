"""List the files below a folder that may be media, by name and first bytes, and what of it cannot be read."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from realframe.errors import MediaError, UnreadableFileError
from realframe.media.signature import read_signature

_TEXT_SUFFIXES = ".csv .tsv .md .txt .json .jsonl .yaml .yml .xml .html .htm .srt .vtt .log .md5 .sha256 .dvc"
_TEXT_NAMES = frozenset(("license", "licence", "readme", "copying", "notice", "authors", "citation"))
_SYSTEM_NAMES = frozenset(("__macosx", "thumbs.db", "desktop.ini"))


@dataclass(frozen=True)
class FolderListing:
    """The files below a folder.

    Attributes:
        media: each file that may be media, or why it or a folder cannot be used.
        texts: visible text files that are not media.
    """

    media: dict[str, MediaError | None] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)


def list_files(folder: Path) -> FolderListing:
    """List the files below a folder. Hidden files are left out; links to folders are not followed, but listed with a problem."""
    listing, unreadable = FolderListing(), list[OSError]()
    for here, folders, names in os.walk(folder, onerror=unreadable.append):
        base = Path(here)
        folders[:] = sorted(name for name in folders if _is_visible_name(name))
        for name in [name for name in folders if (base / name).is_symlink()]:
            path = (base / name).relative_to(folder).as_posix()
            listing.media[path] = UnreadableFileError(path, "is a link to a folder, which is not followed", "Name that folder itself.")
        for name in sorted(name for name in names if _is_visible_name(name)):
            path = (base / name).relative_to(folder).as_posix()
            if _is_text(name) and not _is_media(base / name):
                listing.texts.append(os.fsencode(path).decode("utf-8", "replace"))
            else:
                listing.media[path] = None if _is_utf8(path) else UnreadableFileError(path, "has a name that is not UTF-8", "Rename it.")
    for error in (error for error in unreadable if not isinstance(error, FileNotFoundError)):
        path = Path(error.filename).relative_to(folder).as_posix()
        listing.media[path] = UnreadableFileError(path, f"is a folder that cannot be read: {error.strerror}", "Check its permissions.")
    return listing


def may_be_media(path: str) -> bool:
    """Say whether a path (parts separated by ``/``) may be media by its name alone: no part is hidden, and it is not a text file."""
    *folders, name = path.split("/")
    return all(_is_visible_name(part) for part in (*folders, name)) and not _is_text(name)


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
