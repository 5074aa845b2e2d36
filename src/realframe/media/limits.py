"""Limit what a hostile or broken file may cost, and refuse a file that exceeds the limits.

A file is checked before any decoder reads it: :func:`check_file` (an ordinary file of a known format, not too large),
:func:`check_complete` (a video is as long as its structure states), :func:`check_pixels` and :func:`check_duration`. FFmpeg may open only
the container that the first bytes show (``signature.py``) and only the codecs in ``video_stream.ALLOWED_CODECS``. Programs that decode
run in :func:`limited_process`, with limits on memory and time, so that no file can hang or flood the machine.

Sources: box sizes after ISO/IEC 14496-12 (mov), element sizes after RFC 8794 (matroska), chunk sizes after Microsoft's RIFF (avi), the
trailer after GIF89a.
"""

import math
import os
import signal
import stat
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from realframe.errors import EmptyFileError, LimitExceededError, NotMediaError, UndecodableError, UnreadableFileError
from realframe.media.signature import DEMUXERS, HEAD_BYTES, Signature, detect_signature

# The limits are set by a shell of its own, because subprocess's preexec_fn is not safe while other threads run.
_LIMITED_SHELL = 'ulimit -v "$1"; ulimit -t "$2"; shift 2; exec "$@"'
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_MATROSKA_HEADER = b"\x1aE\xdf\xa3"


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
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableFileError(path, "is not an ordinary file", "Use the file itself.")
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise UnreadableFileError(path, f"cannot be read: {error.strerror}", "Check its permissions and the disk.") from error
    if not head:
        raise EmptyFileError(path, "is empty (0 bytes)", "Copy or download it again.")
    if status.st_size > max_bytes:
        raise LimitExceededError(path, f"has {status.st_size:,} bytes, more than {max_bytes:,}", "Cut it, or raise limits.max_bytes.")
    signature = detect_signature(head)
    if signature is None:
        raise NotMediaError(
            path, "is not an image or video of a known format, whatever its name", "Use mp4, mov, mkv, webm, avi or an image."
        )
    return signature, status.st_size


def check_complete(path: Path, container: str) -> None:
    """Raise UndecodableError if a video file in ``container`` is shorter than its outermost structure states."""
    if missing := count_missing_bytes(path, DEMUXERS[container]):
        raise UndecodableError(path, f"is cut short: at least {missing:,} bytes at its end are missing", "Copy or download it again.")


def check_pixels(subject: object, width: int, height: int, max_pixels: int) -> None:
    """Raise LimitExceededError if a picture has more than ``max_pixels``."""
    if width * height > max_pixels:
        reason = f"is {width}x{height}, more than {max_pixels:,} pixels"
        raise LimitExceededError(subject, reason, "Scale it down, or raise limits.max_pixels.")


def check_duration(subject: object, duration_s: float, max_duration_s: float) -> None:
    """Raise LimitExceededError if a video is longer than ``max_duration_s`` seconds."""
    if duration_s > max_duration_s:
        reason = f"is {duration_s:,.0f} s long, more than {max_duration_s:,.0f} s"
        raise LimitExceededError(subject, reason, "Cut it, or raise limits.max_duration_s.")


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


def count_missing_bytes(path: Path, demuxer: str) -> int:
    """Return how many bytes a file lacks of the length that its outermost structure states; 0 if it is whole or states none.

    A GIF states no length but ends with a trailer; without it, the result is 1.
    """
    with path.open("rb") as stream:
        stated = {"mov": _mov_end, "matroska": _matroska_end, "avi": _avi_end, "gif": _gif_end}[demuxer](stream)
        return max(0, stated - path.stat().st_size)


def _mov_end(stream: BinaryIO) -> int:
    end = 0
    while len(header := stream.read(16)) >= 8:
        size = struct.unpack(">I", header[:4])[0]
        if size == 1 and len(header) == 16:
            size = struct.unpack(">Q", header[8:])[0]
        if size < 8 or not header[4:8].isascii():
            return end  # 0 means "up to the end of the file"; any other size below 8 is padding after the last box
        end += size
        stream.seek(end)
    return end


def _matroska_end(stream: BinaryIO) -> int:
    position = 0
    while True:
        stream.seek(position)
        head = stream.read(12)
        if len(head) < 12:
            return 0
        size, width = _ebml_size(head[4:])
        if head[:4] == _MATROSKA_SEGMENT:
            return 0 if size is None else position + 4 + width + size
        if size is None or head[:4] != _MATROSKA_HEADER:
            return 0
        position += 4 + width + size


def _ebml_size(data: bytes) -> tuple[int | None, int]:
    """Return the value (None for "unknown") and the width in bytes of the variable-length size at the start of ``data``."""
    width = 9 - data[0].bit_length()
    if width > 8:
        return None, 1
    bits = 7 * width
    value = int.from_bytes(data[:width], "big") & ((1 << bits) - 1)
    return (None if value == (1 << bits) - 1 else value), width


def _avi_end(stream: BinaryIO) -> int:
    size = struct.unpack("<4xI", stream.read(8))[0]
    return 0 if size in (0, 0xFFFFFFFF) else 8 + int(size)  # a recorder that was killed leaves 0


def _gif_end(stream: BinaryIO) -> int:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - 64))
    return size if stream.read().rstrip(b"\0\r\n ").endswith(b";") else size + 1
