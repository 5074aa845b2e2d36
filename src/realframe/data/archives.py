"""Unpack ZIP and tar archives that were received, within limits and only into the folder that was named, and ingest what is in them.

Nothing that an archive states is believed: paths that lead out of the folder are refused, links and devices are left out, and the bytes
are counted while they are written.
"""

import hashlib
import lzma
import os
import re
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from filelock import FileLock

from realframe.data.ingest import IngestSummary, is_archive
from realframe.errors import MediaError, NotMediaError, UnreadableFileError
from realframe.files import shorten_name
from realframe.media.signature import HEAD_BYTES

_ARCHIVE_SUFFIX = re.compile(r"(\.tar)?\.[A-Za-z0-9]{1,4}$")
_MAX_FILES = 1_000_000
_MAX_GROWTH = 100  # unpacked bytes per packed byte; media hardly shrink, a zip bomb grows a thousandfold
_FREE_GROWTH_BYTES = 100 << 20  # small archives of text may grow more
_RESERVED_BYTES = 1 << 30  # free disk that must be left
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Member:
    """A file in an archive, which ``open`` opens for reading; ``size`` is what the archive states."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def ingest_archives(summary: IngestSummary, path: Path, unpack_dir: Path, ingest_folder: Callable[[Path], IngestSummary]) -> None:
    """Unpack the archives that an ingest skipped, ingest what is in them, and add the result to its summary.

    An archive stands for a folder of its name: the folders above it label its files too. One that is refused is in ``summary.rejected``.

    Args:
        summary: the result of the ingest of ``path``.
        path: the folder, or the archive itself.
        unpack_dir: the folder in which archives are unpacked; nothing is left there.
        ingest_folder: ingests a folder.

    Raises:
        LabelConflictError: as in :func:`ingest`.
        DatasetError: as in :func:`ingest`.
    """
    folder = path if path.is_dir() else path.parent
    archives = [name for name, problem in summary.skipped.items() if _is_archive(folder / name) and isinstance(problem, NotMediaError)]
    unpack_dir.mkdir(parents=True, exist_ok=True)
    place = unpack_dir / hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:6]
    staging = place / (folder.resolve().name if path.is_dir() else _ARCHIVE_SUFFIX.sub("", path.name))
    with FileLock(unpack_dir / "unpack.lock"):
        shutil.rmtree(place, ignore_errors=True)  # of one that was killed
        try:
            for name in archives:
                target = staging / _ARCHIVE_SUFFIX.sub("", name) if path.is_dir() else staging
                del summary.skipped[name]
                try:
                    unpack_archive(folder / name, staging / name if target.exists() else target)
                except MediaError as error:
                    summary.rejected[name] = error
                    summary.file_count += 1
            if staging.exists():
                summary.add(ingest_folder(staging), "in an archive: ")
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _is_archive(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return is_archive(stream.read(HEAD_BYTES))
    except OSError:
        return False


def unpack_archive(archive: Path, target: Path) -> int:
    """Unpack the files of an archive into a folder, which must not exist; return how many. Nothing is left of one that is refused.

    Raises:
        NotMediaError: it is no ZIP or tar archive, is encrypted or damaged, exceeds a limit, or names a path outside of the folder.
        UnreadableFileError: it cannot be read.
        OSError: the folder cannot be written to.
    """
    try:
        return _unpack(archive, target)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(target, ignore_errors=True)
        detail = "it is neither a ZIP nor a tar archive, or damaged" if isinstance(error, tarfile.ReadError) else str(error)
        reason = f"is an archive that cannot be unpacked: {detail}"
        raise NotMediaError(archive, reason, "Unpack it with another program, and ingest the folder.") from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def _unpack(archive: Path, target: Path) -> int:
    size = archive.stat().st_size
    target.mkdir(parents=True)
    free = shutil.disk_usage(target).free - _RESERVED_BYTES
    limit = min(free, size * _MAX_GROWTH + _FREE_GROWTH_BYTES)
    count, stated, written = 0, 0, 0
    for member in _list_members(archive):
        count, stated = count + 1, stated + member.size
        if count > _MAX_FILES:
            raise NotMediaError(archive, f"is an archive of more than {_MAX_FILES:,} files", "Unpack it yourself, and ingest the folder.")
        if max(stated, written) > limit:
            break
        place = target / _safe_path(archive, member.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            stream = place.open("xb")
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise NotMediaError(
                archive, f"is an archive with two files named {member.name}", "Unpack it yourself, and rename one."
            ) from None
        with member.open() as packed, stream:
            while written <= limit and (chunk := packed.read(_CHUNK)):
                written += len(chunk)
                stream.write(chunk)
    if max(stated, written) > limit:
        why = (
            "is an archive that needs more disk space than is free"
            if limit == free
            else f"is an archive that grows more than {_MAX_GROWTH}-fold"
        )
        raise NotMediaError(archive, why, "It may be made to fill the disk. Unpack it yourself if you trust it, and ingest the folder.")
    return count


def _list_members(archive: Path) -> Iterator[_Member]:
    """Yield the regular files; hidden ones, links and devices are left out."""
    try:
        is_zip = zipfile.is_zipfile(archive)
    except OSError as error:
        raise UnreadableFileError(archive, f"cannot be read: {error.strerror}", "Check its permissions.") from error
    if is_zip:
        with zipfile.ZipFile(archive) as packed:
            for info in packed.infolist():
                mode = info.external_attr >> 16
                if info.flag_bits & 1:
                    raise NotMediaError(archive, "is an encrypted archive", "Unpack it yourself, and ingest the folder.")
                if not info.is_dir() and (not stat.S_IFMT(mode) or stat.S_ISREG(mode)):
                    yield _Member(info.filename, info.file_size, partial(packed.open, info))
        return
    with tarfile.open(archive, "r:*") as unpacked:
        for member in unpacked:
            if member.isfile():
                yield _Member(member.name, member.size, partial(_open_tar_member, unpacked, member))


def _open_tar_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    stream = archive.extractfile(member)
    assert stream is not None  # a regular file
    return stream


def _safe_path(archive: Path, name: str) -> PurePosixPath:
    """Return a member's path, with each part short enough for a file system. Raises NotMediaError where it leads out of the folder."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0][1:2] == ":" or "\0" in name:
        hint = "It may be made to overwrite your files. Do not use it unless you know where it comes from."
        raise NotMediaError(archive, f"is an archive with the path {name!r}, which leads out of its folder", hint)
    suffix = path.suffix if len(path.suffix.encode(errors="surrogateescape")) <= 16 else ""
    last = path.name if len(path.name.encode(errors="surrogateescape")) <= 255 else shorten_name(path.stem, 230) + suffix
    return PurePosixPath(*(shorten_name(part) for part in path.parts[:-1]), last)
