"""Keep the caches of a checkout below their size limit: the least recently used entries are deleted first.

All caches are subfolders of one folder and share one limit. An entry is a file or a folder of files:

- ``<cache>/<key>/<xx>/<name>`` in the caches per item, where the key is a digest of everything that the entries depend on;
- ``<cache>/<name>`` in the caches of ``_FLAT_CACHES``.

Several processes may use and trim the caches at the same time. An entry that is a file is used in one step: it is linked or opened, which
succeeds or fails as a whole, and deleting it afterwards does not affect the user. Where entries are used for longer, their user keeps
``hold_entries`` for the folder of their key. An entry that is a folder is not deleted within minutes of its last use.

Using an entry sets the access time of a file, since its modification time is also that of the stage outputs that link to it, by which DVC
recognizes a file; of a folder it sets the modification time, since reading a folder changes its access time.
"""

import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

_FLAT_CACHES = ("evidence", "gate-attempts", "weights")
_ENTRY_DEPTH = 3
_HOLD_FILE = ".in-use"
_FOLDER_GRACE_S = 600
_LEFTOVER_AGE_S = 24 * 3600  # a temporary file older than this belongs to a process that was killed
_TRIMMED_PART = 50  # a process trims when it has added this part of the limit
_TRIM_INTERVAL_S = 3600  # and where nothing has been trimmed for this long
_STAMP = ".trimmed"

_log = logging.getLogger(__name__)
_added_bytes: dict[Path, int] = {}


@dataclass(frozen=True)
class _Entry:
    path: Path
    is_folder: bool
    used: float
    size: int
    key_folder: Path


def record_use(entry: Path) -> None:
    """Make an entry the most recently used one; nothing happens where it was deleted meanwhile."""
    with suppress(OSError):
        facts = entry.stat()
        if entry.is_dir():
            os.utime(entry)
        else:
            os.utime(entry, ns=(time.time_ns(), facts.st_mtime_ns))


def record_added(entry: Path, root: Path, limit_bytes: int) -> None:
    """Count an entry that this process has added to the caches in ``root``, and trim them if enough was added since the last time."""
    with suppress(OSError):
        _added_bytes[root] = _added_bytes.get(root, 0) + (_measure_folder(entry) if entry.is_dir() else _size(entry.stat()))
    if _added_bytes.get(root, 0) * _TRIMMED_PART > limit_bytes or time.time() - _last_trim(root) > _TRIM_INTERVAL_S:
        try:
            trim_caches(root, limit_bytes)
        except OSError as error:  # such as a file of another user; what was computed is in its place
            _log.warning("the caches in %s cannot be trimmed: %s", root, error)


def trim_caches(root: Path, limit_bytes: int) -> int:
    """Delete the least recently used entries of the caches in ``root`` until at most ``limit_bytes`` are left.

    Entries in use stay, even above the limit. Nothing happens while another process trims.

    Returns:
        The number of bytes deleted.
    """
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / ".trim.lock", timeout=0):
            _added_bytes[root] = 0
            (root / _STAMP).touch()
            return _trim(root, limit_bytes)
    except Timeout:
        return 0


def hold_entries(key_folder: Path) -> int:
    """Keep all entries of a key from being deleted until the returned file descriptor is closed or the process ends."""
    key_folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(key_folder / _HOLD_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _trim(root: Path, limit_bytes: int) -> int:
    entries = sorted(_find_entries(root), key=lambda entry: entry.used)
    excess = sum(entry.size for entry in entries) - limit_bytes
    deleted, remaining = 0, dict.fromkeys((entry.key_folder for entry in entries), 0)
    for entry in entries:
        if deleted < excess and _delete_unused(entry):
            deleted += entry.size
        else:
            remaining[entry.key_folder] += 1
    for folder in _find_key_folders(root):
        if not remaining.get(folder):
            _delete_abandoned(folder)
    return deleted


def _find_entries(root: Path) -> Iterator[_Entry]:
    """Yield all entries; delete what killed processes left."""
    for path, key_folder in _find_entry_paths(root):
        with suppress(FileNotFoundError):
            facts, is_folder = path.stat(), path.is_dir()
            if path.name.startswith("."):
                if path.name != _HOLD_FILE and time.time() - facts.st_mtime > _LEFTOVER_AGE_S:
                    _delete(path, is_folder)
                continue
            used, size = (facts.st_mtime, _measure_folder(path)) if is_folder else (facts.st_atime, _size(facts))
            yield _Entry(path, is_folder, used, size, key_folder)


def _find_entry_paths(root: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the path of each entry, with the folder of its key."""
    for namespace in _list_folders(root):
        if namespace.name in _FLAT_CACHES:
            yield from ((path, namespace) for path in namespace.iterdir())
        else:
            for key_folder in _list_folders(namespace):
                yield from ((path, key_folder) for path in _iter_level(key_folder, _ENTRY_DEPTH - 1))


def _find_key_folders(root: Path) -> Iterator[Path]:
    for namespace in _list_folders(root):
        if namespace.name not in _FLAT_CACHES:
            yield from _list_folders(namespace)


def _iter_level(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the paths ``depth`` levels below a folder, and the files above that level."""
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            if depth > 1 and path.is_dir():
                yield from _iter_level(path, depth - 1)
            else:
                yield path


def _list_folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _delete_unused(entry: _Entry) -> bool:
    """Delete an entry unless its key is held or it was used since it was listed; return whether it is deleted."""
    with suppress(FileNotFoundError), _lock_for_deletion(entry.key_folder) as is_locked:
        facts = entry.path.stat()
        used = facts.st_mtime if entry.is_folder else facts.st_atime
        if not is_locked or used > entry.used or (entry.is_folder and time.time() - used < _FOLDER_GRACE_S):
            return False
        _delete(entry.path, entry.is_folder)
    return True  # also where somebody else has deleted it


def _delete_abandoned(key_folder: Path) -> None:
    """Delete the folder of a key that has no entries and was not changed for a day: its code or parameters have changed."""
    with suppress(FileNotFoundError), _lock_for_deletion(key_folder) as is_locked:
        folders = [key_folder, *_list_folders(key_folder)]
        if is_locked and time.time() - max(folder.stat().st_mtime for folder in folders) > _LEFTOVER_AGE_S:
            _delete(key_folder, is_folder=True)


@contextmanager
def _lock_for_deletion(key_folder: Path) -> Iterator[bool]:
    """Lock out new users of a key's entries; yield False where there is one."""
    descriptor = os.open(key_folder / _HOLD_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _delete(path: Path, is_folder: bool) -> None:
    """Delete a file, or a folder in one step, so that nobody sees a part of it."""
    if not is_folder:
        path.unlink(missing_ok=True)
        return
    deleted = path.with_name(f".deleted-{secrets.token_hex(4)}")
    path.rename(deleted)
    shutil.rmtree(deleted, ignore_errors=True)


def _last_trim(root: Path) -> float:
    try:
        return (root / _STAMP).stat().st_mtime
    except FileNotFoundError:
        return 0


def _measure_folder(folder: Path) -> int:
    return sum(_size(path.stat()) for path in folder.rglob("*") if path.is_file())


def _size(facts: os.stat_result) -> int:
    """Return the bytes that a file takes on the disk."""
    return max(facts.st_size, facts.st_blocks * 512)
