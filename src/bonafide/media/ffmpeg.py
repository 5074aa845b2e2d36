"""The FFmpeg program: which one is used, and running it within limits, so that no file can hang or flood the machine."""

import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
from functools import lru_cache
from typing import Any

import ffmpeg
import imageio_ffmpeg

from bonafide.errors import OverLimitError, SetupError, UndecodableError
from bonafide.params import Limits

_OLDEST = (5, 1)  # the first with -fps_mode
_LIMITED = 'ulimit -v "$1"; ulimit -t "$2"; shift 2; exec "$@"'  # in a shell of its own: preexec_fn is unsafe where threads run

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


def run(stream: Any, limits: Limits, thing: object) -> str:
    """Run an ffmpeg-python output within ``limits``, alone in its process group, and return its log.

    Args:
        stream: an output node of ffmpeg-python.
        limits: wall clock and CPU time (``timeout_s``), address space (``max_memory_mb``).
        thing: the file that it is about, for errors.

    Raises:
        OverLimitError: it took too long or too much memory; the whole process group has been killed.
        UndecodableError: FFmpeg failed; its last word is in the reason.
    """
    command = ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "verbose", *ffmpeg.get_args(stream)]
    caps = [str(limits.max_memory_mb * 1024), str(math.ceil(limits.timeout_s))]
    shell = ["/bin/sh", "-c", _LIMITED, "sh", *caps, executable(), *command]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(shell, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
        code = _wait(process, limits, thing)
        log.seek(0)
        text = log.read().decode(errors="replace")
    if code != 0:
        raise _failure(code, text, limits, thing)
    return text


def _wait(process: "subprocess.Popen[bytes]", limits: Limits, thing: object) -> int:
    try:
        return process.wait(timeout=limits.timeout_s)
    except subprocess.TimeoutExpired as error:
        raise _too_slow(limits, thing) from error
    finally:  # also when this process is told to stop
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


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
