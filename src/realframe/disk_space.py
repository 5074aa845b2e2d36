"""Recognize that a disk is full, whatever library reports it, and word that as one sentence: an error of the machine, not of a file."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from realframe.errors import DiskFullError

_DISK_FULL_ERRORS = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


def is_disk_full(error: BaseException) -> bool:
    """Return whether an error, or one that caused it, says that a disk is full; SQLite and HDF5 say so in words only."""
    return any(_says_disk_full(cause) for cause in _iter_causes(error))


def make_disk_full_error(error: BaseException, folders: Sequence[Path]) -> DiskFullError:
    """Return the error for a full disk in one sentence.

    Args:
        error: as it was raised; it, or one that caused it, may name the file.
        folders: where this program writes; the one with the least free space is named if the error names no file.
    """
    names = [cause.filename for cause in _iter_causes(error) if isinstance(cause, OSError) and isinstance(cause.filename, str)]
    folder = _find_existing(Path(names[0]).absolute()) if names else min(map(_find_existing, folders), key=_measure_free_bytes)
    reason = f"the disk is full ({_measure_free_bytes(folder) / 1e6:,.1f} MB free)"
    hint = (
        "Free space on it, or name a folder on another disk: REALFRAME_HOME for the state folder, TMPDIR for temporary files. "
        "`.realframe/cache` may always be deleted."
    )
    return DiskFullError(folder, reason, hint)


def _says_disk_full(error: BaseException) -> bool:
    # other classes are not asked: the text of an error may repeat the name of a file, which may say anything
    if isinstance(error, sqlite3.Error):
        return str(error) == "database or disk is full"
    if isinstance(error, OSError):
        return error.errno in _DISK_FULL_ERRORS or (error.errno is None and f"errno = {errno.ENOSPC}," in str(error))  # HDF5
    return False


def _iter_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that caused it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _find_existing(path: Path) -> Path:
    """Return the folder of a path that exists: itself, or the nearest one above it."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _measure_free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
