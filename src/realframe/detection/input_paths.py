"""Turn the paths of a command line into the list of files to score: files, folders, glob patterns and path lists."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from realframe.data.layouts import find_media_files

_GLOB_CHARACTERS = re.compile(r"[*?\[]")


def list_media_files(paths: Iterable[Path]) -> list[Path]:
    """Return each path once, in order; a folder is replaced by the possible media files below it.

    Hidden files and text files of a folder are left out. A file that is named itself is always returned.
    """
    files: dict[Path, None] = {}
    for path in paths:
        files |= dict.fromkeys([path / name for name, _ in find_media_files(path)] if path.is_dir() else [path])
    return list(files)


def expand_pattern(name: str) -> list[Path]:
    """Return the path ``name`` where it exists, else the paths that match it as a glob pattern such as ``**/*.mp4``.

    Raises:
        FileNotFoundError: the path does not exist and no path matches.
    """
    if os.path.lexists(name):
        return [Path(name)]
    matches = sorted(glob.glob(name, recursive=True)) if _GLOB_CHARACTERS.search(name) else []  # noqa: PTH207 - Path.glob refuses absolute ones
    if not matches:
        raise FileNotFoundError(name)
    return [Path(path) for path in matches]


def parse_path_list(data: bytes) -> Iterator[Path]:
    """Yield the paths of a list: one per line, or each ended by a NUL as ``find -print0`` writes them."""
    separator = b"\0" if b"\0" in data else b"\n"
    for line in data.split(separator):
        name = line if separator == b"\0" else line.removesuffix(b"\r")
        if name:
            yield Path(os.fsdecode(name))
