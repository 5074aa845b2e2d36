"""Which files a user means by the paths that they name."""

from collections.abc import Iterable
from pathlib import Path

from bonafide.dataset.layouts import files_of


def files_in(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and for each folder the files below it that may be media (no hidden ones, no text); each once, in order."""
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path / name for name, _ in files_of(path)] if path.is_dir() else [path]
        found |= dict.fromkeys(inside)
    return list(found)
