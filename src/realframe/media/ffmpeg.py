"""Find the FFmpeg program and run it within limits, so that no file can hang or flood the machine."""

import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from realframe.config import Limits
from realframe.errors import LimitExceededError, SetupError, UndecodableError
from realframe.media.limits import limited_process

_MIN_VERSION = (5, 1)  # the first with -fps_mode
_FULL_BYTES = 65_536  # free; less is a full disk
_COMPLAINT = re.compile(r"error|invalid|corrupt|truncat|missing|prematurely|unsupported|fail", re.IGNORECASE)


@lru_cache(maxsize=1)
def ffmpeg_executable() -> str:
    """Return the path of FFmpeg: the system's if it is new enough, else that of imageio-ffmpeg. Raises SetupError."""
    system = shutil.which("ffmpeg")
    if system and _is_new_enough(_banner(system)):
        return system
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise SetupError("ffmpeg", "is not installed on this machine", "Run `make setup`, or install FFmpeg.") from error


@lru_cache(maxsize=1)
def ffmpeg_version() -> str:
    """Return the version line of FFmpeg, on which decoded pixels may depend."""
    return _banner(ffmpeg_executable()).split("\n", 1)[0]


def run_ffmpeg(stream: Any, limits: Limits, subject: object, consume_stdout: Callable[[IO[bytes]], None] | None = None) -> str:
    """Run an output of ffmpeg-python within ``limits``, in a process group of its own, and return its log.

    Args:
        stream: an output node of ffmpeg-python.
        limits: wall clock and CPU time (``timeout_s``), address space (``max_memory_mb``).
        subject: the name of the file in errors.
        consume_stdout: reads FFmpeg's standard output to its end while FFmpeg runs; without it nothing is read.

    Raises:
        LimitExceededError: FFmpeg needs too much time or memory; the whole process group is killed.
        UndecodableError: FFmpeg fails; the reason contains its first complaint.
        OSError: a disk of this machine is full.
    """
    command = [ffmpeg_executable(), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+verbose", *ffmpeg.get_args(stream)]
    with tempfile.TemporaryFile() as log_file:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE if consume_stdout else log_file, "stderr": log_file}
        with limited_process(command, limits.max_memory_mb, limits.timeout_s, **streams) as process:
            if consume_stdout and process.stdout:
                consume_stdout(process.stdout)
            exit_code = process.wait()
        log_file.seek(0)
        log = log_file.read().decode(errors="replace")
    written = [Path(tempfile.gettempdir()), *(Path(word[5:]).parent for word in command[-1:] if word.startswith("file:"))]
    if any(shutil.disk_usage(folder).free < _FULL_BYTES for folder in written):
        # no fault of the file, which must not be quarantined for it; the log may repeat texts of the file, so it is not asked
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if exit_code != 0:
        raise _classify_failure(exit_code, log, limits, subject)
    return log


def _classify_failure(exit_code: int, log: str, limits: Limits, subject: object) -> Exception:
    if exit_code in (-signal.SIGXCPU, -signal.SIGKILL):
        return LimitExceededError(
            subject, f"takes more than {limits.timeout_s:,.0f} s to decode", "Cut it, or raise limits.timeout_s in params.yaml."
        )
    if "exceeds specified max pixel count" in log:
        return LimitExceededError(
            subject, f"has frames of more than {limits.max_pixels:,} pixels", "Scale it down, or raise limits.max_pixels in params.yaml."
        )
    if re.search(r"Cannot allocate memory|get_buffer\(\) failed|pthread_create\(\) failed", log):
        return LimitExceededError(
            subject, f"needs more than {limits.max_memory_mb} MiB of memory to decode", "Raise limits.max_memory_mb in params.yaml."
        )
    return UndecodableError(subject, f"cannot be decoded: {_first_complaint(log)}", "Check that it plays to its end; export it again.")


def _first_complaint(log: str) -> str:
    """Return the first complaint in FFmpeg's log, which names the cause, without addresses that differ from run to run."""
    lines = [re.sub(r"^(\[[^\]]*\] )+", "", line).strip() for line in log.splitlines()]
    lines = [line for line in lines if line]
    complaints = [line for line in lines if _COMPLAINT.search(line)]
    return (complaints or lines or ["FFmpeg gives no reason"])[0]


@lru_cache(maxsize=2)
def _banner(executable: str) -> str:
    return subprocess.run([executable, "-version"], capture_output=True, text=True, check=False).stdout  # noqa: S603


def _is_new_enough(banner: str) -> bool:
    version = re.match(r"ffmpeg version n?(\d+)\.(\d+)", banner)
    return version is not None and (int(version[1]), int(version[2])) >= _MIN_VERSION
