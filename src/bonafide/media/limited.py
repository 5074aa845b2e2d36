"""Running a program that strangers' files are fed to: within limits, in a process group of its own, so that no file hangs or floods us."""

import math
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

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
