"""Which files a user means by the paths that they name."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bonafide.dataset.layouts import files_of

_PATTERN = re.compile(r"[*?\[]")


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and for each folder the files below it that may be media (no hidden ones, no text); each once, in order."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path / name for name, _ in files_of(path)] if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)


def meant(name: str) -> list[Path]:
    """Return what a word of the command line means: the path itself, or, where there is none, what a pattern such as ``**/*.mp4`` finds.

    Raises:
        FileNotFoundError: it names nothing that is there.
    """
    if os.path.lexists(name):
        return [Path(name)]
    found = sorted(glob.glob(name, recursive=True)) if _PATTERN.search(name) else []  # noqa: PTH207 - Path.glob takes no absolute ones
    if not found:
        raise FileNotFoundError(name)
    return [Path(path) for path in found]


def listed(data: bytes) -> Iterator[Path]:
    """Yield the paths of a list: one a line, or with a NUL after each, as ``find -print0`` writes them."""
    end = b"\0" if b"\0" in data else b"\n"
    for name in data.split(end):
        stripped = name if end == b"\0" else name.removesuffix(b"\r")
        if stripped:
            yield Path(os.fsdecode(stripped))
