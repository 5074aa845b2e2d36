"""The FFmpeg program: which one is used, and running it within limits, so that no file can hang or flood the machine."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from typing import IO, Any

import ffmpeg
import imageio_ffmpeg

from realframe.config import Limits
from realframe.errors import OverLimitError, SetupError, UndecodableError
from realframe.media.limits import limited

_OLDEST = (5, 1)  # the first with -fps_mode
_COMPLAINT = re.compile(r"error|invalid|corrupt|truncat|missing|prematurely|unsupported|fail", re.IGNORECASE)


@lru_cache(maxsize=1)
def executable() -> str:
    """Return the FFmpeg binary: the system's, else the one inside imageio-ffmpeg. Raises SetupError."""
    system = shutil.which("ffmpeg")
    if system and _is_new_enough(_banner(system)):
        return system
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise SetupError("ffmpeg", "there is no FFmpeg on this machine", "Run `make setup`, or install FFmpeg.") from error


@lru_cache(maxsize=1)
def version() -> str:
    """Return the version string of the FFmpeg in use; decoded pixels may depend on it."""
    return _banner(executable()).split("\n", 1)[0]


def run(stream: Any, limits: Limits, thing: object, read: Callable[[IO[bytes]], None] | None = None) -> str:
    """Run an ffmpeg-python output within ``limits``, alone in its process group, and return its log.

    Args:
        stream: an output node of ffmpeg-python.
        limits: wall clock and CPU time (``timeout_s``), address space (``max_memory_mb``).
        thing: the file that it is about, for errors.
        read: is given what FFmpeg writes to its standard output while it runs, and takes it all; by default nothing is read.

    Raises:
        OverLimitError: it took too long or too much memory; the whole process group has been killed.
        UndecodableError: FFmpeg failed; its last word is in the reason.
    """
    command = [executable(), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "verbose", *ffmpeg.get_args(stream)]
    with tempfile.TemporaryFile() as log:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE if read else log, "stderr": log}
        with limited(command, limits.max_memory_mb, limits.timeout_s, **streams) as process:
            if read and process.stdout:
                read(process.stdout)
            code = process.wait()
        log.seek(0)
        text = log.read().decode(errors="replace")
    if code != 0:
        raise _failure(code, text, limits, thing)
    return text


def _failure(code: int, log: str, limits: Limits, thing: object) -> Exception:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return _too_slow(limits, thing)
    if "exceeds specified max pixel count" in log:
        return OverLimitError(thing, f"has frames of more than {limits.max_pixels:,} pixels", "Scale it down, or raise limits.max_pixels.")
    if re.search(r"Cannot allocate memory|get_buffer\(\) failed|pthread_create\(\) failed", log):
        return OverLimitError(thing, f"needs more than {limits.max_memory_mb} MiB of memory to decode", "Raise limits.max_memory_mb.")
    return UndecodableError(thing, f"can't be decoded: {_last_word(log)}", "Check that it plays to its end; export it again.")


def _too_slow(limits: Limits, thing: object) -> OverLimitError:
    return OverLimitError(thing, f"takes more than {limits.timeout_s:,.0f} s to decode", "Cut it, or raise limits.timeout_s.")


def _last_word(log: str) -> str:
    """Return the first complaint of FFmpeg's components, which names the cause, without addresses that differ from run to run."""
    lines = [re.sub(r"^(\[[^\]]*\] )+", "", line).strip() for line in log.splitlines()]
    lines = [line for line in lines if line]
    causes = [line for line in lines if _COMPLAINT.search(line)]
    return (causes or lines or ["FFmpeg says nothing"])[0]


@lru_cache(maxsize=2)
def _banner(binary: str) -> str:
    return subprocess.run([binary, "-version"], capture_output=True, text=True, check=False).stdout  # noqa: S603


def _is_new_enough(banner: str) -> bool:
    found = re.match(r"ffmpeg version n?(\d+)\.(\d+)", banner)
    return found is not None and (int(found[1]), int(found[2])) >= _OLDEST
