"""Write files atomically: after a kill at any moment there is the old file or the new one, never a part of it; remove stale files."""

import glob
import hashlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

_CHUNK_BYTES = 1 << 20
MAX_NAME_BYTES = 255  # of one name, on all usual file systems
_MAX_SUFFIX_BYTES = 32


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``target``; when the block succeeds, fsync that file and rename it over ``target``."""
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= _MAX_SUFFIX_BYTES else ""
    temporary = target.with_name(join_name(f".{target.stem}", f".{secrets.token_hex(4)}.tmp{suffix}"))
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except OSError as error:
        error.filename = error.filename or str(target)  # a full disk is noticed while writing, where the error names no file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def shorten_name(name: str, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return the beginning of a name that has at most ``max_bytes`` bytes, without a character cut in two."""
    while len(os.fsencode(name)) > max_bytes:
        name = name[:-1]
    return name


def join_name(start: str, end: str) -> str:
    """Return a file name of two parts; the first one is shortened where the name would be too long for a file system."""
    return shorten_name(start, MAX_NAME_BYTES - len(os.fsencode(end))) + end


def write_bytes(target: Path, data: bytes) -> None:
    """Write ``data`` to ``target`` atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``target`` atomically."""
    write_bytes(target, text.encode())


def compute_sha256(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def link_or_copy(source: Path, target: Path) -> None:
    """Put the bytes of ``source`` at ``target``: a hard link where the file system allows it, else a copy."""
    with atomic_path(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)


def remove_file(target: Path) -> None:
    """Delete a file, if it exists, and the partial copies of it that killed writers left."""
    target.unlink(missing_ok=True)
    for partial in target.parent.glob(f".{glob.escape(target.stem)}.*.tmp{glob.escape(target.suffix)}"):
        partial.unlink(missing_ok=True)


def remove_other_files(folder: Path, names: Collection[str]) -> None:
    """Create ``folder`` and delete the files in it that are not in ``names``: those of removed items and of a killed run."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.name not in names:
            file.unlink()
