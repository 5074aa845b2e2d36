"""Limit what a hostile or broken file may cost, and refuse a file that exceeds the limits.

A file is checked before any decoder reads it: :func:`check_file` (an ordinary file of a known format, not too large),
``container_extent.py`` (a video is as long as its structure states), :func:`check_pixels` and :func:`check_duration`. FFmpeg may open only
the container that the first bytes show (``signature.py``) and only the codecs in ``video_stream.ALLOWED_CODECS``. Programs that decode run
in :func:`limited_process`, with limits on memory and time, so that no file can hang or flood the machine. Whatever a library raises about
a file becomes a MediaError of that file in :func:`contain_failures`.
"""

import errno
import logging
import math
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realframe.disk_space import is_disk_full
from realframe.errors import (
    DecoderCrashError,
    EmptyFileError,
    LimitExceededError,
    NotMediaError,
    RealframeError,
    UndecodableError,
    UnreadableFileError,
)
from realframe.media.signature import HEAD_BYTES, Signature, detect_signature

MAX_DAMAGED_SHARE = 0.01
"""A file is used if less than this share of the pixels of an image, or of the frames of a video, is damaged."""

# The limits are set by a shell of its own, because subprocess's preexec_fn is not safe while other threads run.
_LIMITED_SHELL = 'ulimit -v "$1"; ulimit -t "$2"; shift 2; exec "$@"'
_MACHINE_ERRORS = frozenset((errno.EROFS, errno.EMFILE, errno.ENFILE))
_READ_ERRORS = frozenset((errno.ENOENT, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE))
_log = logging.getLogger(__name__)


@contextmanager
def contain_failures(subject: object) -> Iterator[None]:
    """Turn whatever a library raises about a file into a MediaError, so that the file costs its own row and never the run.

    Errors of this program pass unchanged, and so do errors of the machine, such as a full disk, which are not the fault of the file.

    Args:
        subject: the name of the file in errors.

    Raises:
        LimitExceededError: the library needs more memory than there is.
        UnreadableFileError: the operating system does not allow reading the file, or the disk fails.
        DecoderCrashError: it raises any other error.
    """
    try:
        yield
    except RealframeError:
        raise
    except MemoryError as error:
        raise LimitExceededError(subject, "needs more memory than this machine has", "Scale it down, or use a larger machine.") from error
    except Exception as error:
        if is_machine_error(error):
            raise
        if isinstance(error, OSError) and error.errno in _READ_ERRORS:
            raise UnreadableFileError(subject, f"cannot be read: {error.strerror}", "Check its permissions and the disk.") from error
        _log.info("%s: a library failed at it", subject, exc_info=True)
        reason = f"cannot be read: a library failed at it ({type(error).__name__}: {error})"
        raise DecoderCrashError(subject, reason, "Check that it opens; copy or export it again.") from error


def is_machine_error(error: Exception) -> bool:
    """Return whether an error is about this machine (no disk space, too many open files) and not about one file."""
    return is_disk_full(error) or (isinstance(error, OSError) and error.errno in _MACHINE_ERRORS)


def check_file(path: Path, max_bytes: int) -> tuple[Signature, int]:
    """Return the signature and the size in bytes of a file, from its first bytes and its directory entry alone.

    Raises:
        EmptyFileError: the file has 0 bytes.
        UnreadableFileError: the operating system does not allow reading it, or it is not an ordinary file.
        LimitExceededError: it has more than ``max_bytes``.
        NotMediaError: its first bytes are those of no known format.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()  # where a folder of the source cannot be read, that is the reason
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFileError(path, "is not an ordinary file", "Use the file itself.")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}", "Check its permissions and the disk.") from error
    if not head:
        raise EmptyFileError(path, "is empty (0 bytes)", "Copy or download it again.")
    if status.st_size > max_bytes:
        raise LimitExceededError(
            path, f"has {status.st_size:,} bytes, more than {max_bytes:,}", "Cut it, or raise limits.max_bytes in params.yaml."
        )
    signature = detect_signature(head)
    if signature is None:
        raise NotMediaError(
            path, "is not an image or video of a known format, whatever its name", "Use mp4, mov, mkv, webm, avi or an image."
        )
    return signature, status.st_size


def check_damage(damaged_share: float | None, parts: str, subject: object) -> None:
    """Raise UndecodableError if too large a share of a file is damaged.

    Args:
        damaged_share: 1 where it is unknown; None where no damage was found.
        parts: what the share is of, in words: ``pixels`` or ``frames``.
        subject: the name of the file in errors.
    """
    if damaged_share is not None and damaged_share >= MAX_DAMAGED_SHARE:
        extent = f"{damaged_share:.1%}" if damaged_share < 1 else "an unknown share"
        raise UndecodableError(subject, f"is cut short or damaged: {extent} of its {parts}", "Copy, download or export it again.")


def check_pixels(subject: object, width: int, height: int, max_pixels: int) -> None:
    """Raise LimitExceededError if a picture has more than ``max_pixels``."""
    if width * height > max_pixels:
        reason = f"is {width}x{height}, more than {max_pixels:,} pixels"
        raise LimitExceededError(subject, reason, "Scale it down, or raise limits.max_pixels in params.yaml.")


def check_duration(subject: object, duration_s: float, max_duration_s: float) -> None:
    """Raise LimitExceededError if a video is longer than ``max_duration_s`` seconds."""
    if duration_s > max_duration_s:
        reason = f"is {duration_s:,.0f} s long, more than {max_duration_s:,.0f} s"
        raise LimitExceededError(subject, reason, "Cut it, or raise limits.max_duration_s in params.yaml.")


@contextmanager
def limited_process(command: Sequence[str], memory_mb: int, seconds: float, **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a program within limits, in a process group of its own.

    The whole group is killed after ``seconds``, and when the block ends, also by an exception.

    Args:
        command: the program and its arguments.
        memory_mb: limit of its address space, MiB.
        seconds: limit of wall clock, and of CPU time.
        streams: ``stdin``, ``stdout`` and ``stderr`` as ``subprocess.Popen`` accepts them.
    """
    shell = ["/bin/sh", "-c", _LIMITED_SHELL, "sh", str(memory_mb * 1024), str(math.ceil(seconds)), *command]
    with subprocess.Popen(shell, start_new_session=True, **streams) as process:  # noqa: S603
        timer = threading.Timer(seconds, _kill_group, [process])
        timer.daemon = True
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            _kill_group(process)


def _kill_group(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
