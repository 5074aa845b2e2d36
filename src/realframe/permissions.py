"""Create folders and files that only the user of this process can open, and find those that others can open.

A file gets its mode when it is created, whatever the umask is: between a creation and a later ``chmod``, another user could open it, and
would then read what is written to it afterwards.
"""

import logging
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, TextIO, overload

from filelock import FileLock

from realframe.disk_space import is_disk_full
from realframe.errors import SetupError

_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_OTHERS = 0o077
PRIVATE_UMASK = 0o077
"""The umask of a process that writes to the state folder only."""
_log = logging.getLogger(__name__)


def open_private_folder(folder: Path) -> Path:
    """Create a folder and its missing parents with mode 0700, or correct the mode of an existing one; return ``folder``.

    A symbolic link is followed if this user or root owns it. Raises SetupError if the folder is not a folder of this user, or if it stays
    open to other users; OSError if the disk is full.
    """
    try:
        for missing in [parent for parent in reversed(folder.parents) if not parent.exists()]:
            missing.mkdir(_FOLDER_MODE, exist_ok=True)
        if not folder.is_dir():
            with suppress(FileExistsError):
                folder.mkdir(_FOLDER_MODE)
    except OSError as error:
        if is_disk_full(error):
            raise
        raise SetupError(folder, f"cannot be created: {error.strerror}", _OWN_FOLDER) from error
    if folder.is_symlink() and folder.lstat().st_uid not in (os.geteuid(), 0):
        raise SetupError(folder, f"is a symbolic link that the user {folder.lstat().st_uid} owns", _OWN_FOLDER)
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SetupError(folder, f"cannot be opened as a folder: {error.strerror}", _OWN_FOLDER) from error
    try:
        _correct_mode(descriptor, folder, _FOLDER_MODE)
    finally:
        os.close(descriptor)
    return folder


@overload
def open_private_file(path: Path, mode: Literal["wb"]) -> BinaryIO: ...


@overload
def open_private_file(path: Path, mode: Literal["r", "w", "a", "x"]) -> TextIO: ...


def open_private_file(path: Path, mode: str) -> IO[Any]:
    """Open a file, as ``open`` does; one that is missing is created with mode 0600.

    Raises SetupError if it is a symbolic link, or if another user owns it.
    """
    if path.is_symlink():
        raise SetupError(path, "is a symbolic link", "Remove the link, or replace it by the file that it names.")
    stream: IO[Any] = open(path, mode, encoding=None if "b" in mode else "utf-8", opener=_open_private)  # noqa: SIM115
    try:
        _correct_mode(stream.fileno(), path, _FILE_MODE)
    except BaseException:
        stream.close()
        raise
    return stream


def create_private_file(path: Path) -> None:
    """Create an empty file with mode 0600, such as for a database; one that exists keeps its content and gets this mode.

    Raises SetupError if another user owns it.
    """
    with open_private_file(path, "a"):
        pass


def write_private_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` atomically, as a file with mode 0600."""
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open_private_file(temporary, "x") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def update_private_text(path: Path, update: Callable[[str], str]) -> str:
    """Replace a file's text by ``update`` of it, where an absent file is empty; return the new text. The file's mode is 0600.

    Processes that do this at once wait for each other, so that all of them get the same secret. Raises SetupError if another user owns
    the file.
    """
    open_private_folder(path.parent)
    with FileLock(path.with_name(f".{path.name}.lock"), mode=_FILE_MODE):
        text = ""
        if path.exists():
            with open_private_file(path, "r") as stream:
                text = stream.read()
        updated = update(text)
        if updated != text:
            write_private_text(path, updated)
    return updated


def load_secret(path: Path, create: Callable[[], str] = lambda: secrets.token_hex(32)) -> str:
    """Return the secret in a file; on first use it is created by ``create``. Raises SetupError if another user owns the file."""
    return update_private_text(path, lambda text: text or create())


def find_open_paths(*paths: Path) -> list[Path]:
    """Return those of the paths that exist and that other users can open by their own mode."""
    return [path for path in paths if path.exists() and path.stat().st_mode & _OTHERS]


def is_replaceable_by_others(folder: Path) -> bool:
    """Return whether other users may rename a folder, since they can write to its parent and no sticky bit is set there."""
    mode = folder.resolve().parent.stat().st_mode
    return bool(mode & (stat.S_IWGRP | stat.S_IWOTH)) and not mode & stat.S_ISVTX


_OWN_FOLDER = "Name a folder of your own by REALFRAME_HOME."


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, _FILE_MODE)


def _correct_mode(descriptor: int, path: Path, mode: int) -> None:
    """Close an open file or folder to other users. Raises SetupError if another user owns it, or if the file system ignores modes."""
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise SetupError(path, f"belongs to the user {status.st_uid}, not to {os.geteuid()}", f"Run realframe as that user. {_OWN_FOLDER}")
    if not status.st_mode & _OTHERS:
        return
    os.fchmod(descriptor, mode)
    if os.fstat(descriptor).st_mode & _OTHERS:
        reason = "is open to other users, and its file system ignores file modes"
        raise SetupError(path, reason, "Name a folder on another file system by REALFRAME_HOME.")
    _log.warning(
        "%s was open to other users (mode %04o); it is now %04o. If others use this machine, renew the secrets: see docs/security.md.",
        path,
        stat.S_IMODE(status.st_mode),
        mode,
    )
