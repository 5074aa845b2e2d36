"""Running a program that strangers' files are fed to: within limits, in a process group of its own, so that no file hangs or floods us.

Whether a video file is as long as its own structure says. A copy that broke off is found here without decoding it.

Box sizes after ISO/IEC 14496-12 (mov), element sizes after RFC 8794 (matroska), chunk sizes after Microsoft's RIFF (avi), the trailer after
GIF89a.
"""

import math
import os
import signal
import struct
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_LIMITED = 'ulimit -v "$1"; ulimit -t "$2"; shift 2; exec "$@"'  # in a shell of its own: preexec_fn is unsafe where threads run


@contextmanager
def limited(command: Sequence[str], memory_mb: int, seconds: float, **streams: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start ``command``; its whole process group is killed after ``seconds``, and when the block ends, also by an exception.

    Args:
        command: the program and its arguments.
        memory_mb: its address space, MiB.
        seconds: of wall clock, and of CPU time.
        streams: ``stdin``, ``stdout`` and ``stderr`` as ``subprocess.Popen`` takes them.
    """
    shell = ["/bin/sh", "-c", _LIMITED, "sh", str(memory_mb * 1024), str(math.ceil(seconds)), *command]
    with subprocess.Popen(shell, start_new_session=True, **streams) as process:  # noqa: S603
        watch = threading.Timer(seconds, _end, [process])
        watch.daemon = True
        watch.start()
        try:
            yield process
        finally:
            watch.cancel()
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


_SEGMENT = b"\x18\x53\x80\x67"


def missing_bytes(path: Path, demuxer: str) -> int:
    """Return how many bytes ``path`` lacks of the length that its outermost structure states; 0 where it is whole or states none.

    A GIF states no length, but it ends with a trailer: without that, it lacks 1.
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
            return end  # 0 means «up to the end of the file»; anything else below 8 is padding after the last box
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
        if head[:4] == _SEGMENT:
            return 0 if size is None else position + 4 + width + size
        if size is None or head[:4] != b"\x1aE\xdf\xa3":
            return 0
        position += 4 + width + size


def _ebml_size(data: bytes) -> tuple[int | None, int]:
    """Return the value of the variable-length size at the start of ``data`` (None for «unknown») and its width in bytes."""
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
