"""What of a run's output is shown: all that stages, warnings and errors say, but DVC's hints and the small talk of TensorFlow and MLflow.

A stage's fate (it runs, or comes from the cache) is one line. Lines that are not known here pass as they are, and so does a progress bar.
"""

import codecs
import os
import pty
import re
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

_REWORDED = {
    r"Running stage '(.+)':": "stage {}: running",
    r"Stage '(.+)' didn't change, skipping": "stage {}: didn't change, skipping",
    r"Pulling data for stage: '(.+)'": "stage {}: didn't change, fetching its outputs",
    r"Stage '(.+)' is cached - skipping run, checking out outputs": "stage {}: done before, its outputs come from the cache",
}
_LEFT_OUT = (
    # DVC
    r"> python -m pipelines\.\w+",
    r"(Generating|Updating) lock file '.+'",
    r"Use `dvc push` to send your updates to remote storage\.",
    r"Data and pipelines are up to date\.",
    # TensorFlow's C++, which says this before it reads TF_CPP_MIN_LOG_LEVEL
    r"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    r"I0000 \d\d:\d\d:\d+\.\d+ +\d+ \S+:\d+\] .*",
    # MLflow; the pip version is that of an environment that has no pip
    r"\d{4}/\d\d/\d\d [\d:]+ INFO mlflow\..*",
    r"\d{4}/\d\d/\d\d [\d:]+ WARNING mlflow\.utils\.environment: Failed to resolve installed pip version.*",
    r"(Successfully registered model|Registered model|Created version) '.+",
    # Airflow; `realframe up` shows the passwords
    r"Simple auth manager \| Password for user .*",
)
_PIECE = re.compile(r"[^\r\n]*[\r\n]|[^\r\n]+")
_CHUNK = 1 << 16
_LAST_WORDS_S = 5.0  # a process that outlives its parent holds the pipe open
_END = b"\x04"  # end of transmission


class OutputFilter:
    """Leaves known lines out of a stream. A line is held until it is whole; after a carriage return, as in a progress bar, it is not."""

    def __init__(self) -> None:
        self._held = ""
        self._returned = False  # the last line end was a carriage return
        self._begun = False  # a part of this line has been shown

    def pass_on(self, text: str) -> str:
        """Return what is shown of the stream up to here and has not been returned yet."""
        return "".join(self._judge(piece) for piece in _PIECE.findall(self.end() + text))

    def end(self) -> str:
        """Return what is held."""
        held, self._held = self._held, ""
        return held

    def _judge(self, piece: str) -> str:
        if piece[-1] in "\r\n":
            begun, self._begun, self._returned = self._begun, False, piece[-1] == "\r"
            return piece if begun or self._returned else shown(piece)
        if self._returned:
            self._begun = True
            return piece
        self._held = piece
        return ""


def shown(line: str) -> str:
    """Return what is shown of a whole line, its line end included: itself, other words for it, or nothing."""
    said = line.rstrip("\n")
    for pattern, words in _REWORDED.items():
        if match := re.fullmatch(pattern, said):
            return words.format(match[1]) + "\n"
    return "" if any(re.fullmatch(pattern, said) for pattern in _LEFT_OUT) else line


def run_filtered(command: list[str], folder: Path, env: Mapping[str, str]) -> int:
    """Run a command in ``folder``; what it says goes through a sieve to our standard output and error. Return its exit status."""
    (out, out_end), (errors, errors_end) = os.pipe(), _like_stderr()
    pumps = [_start_pump(out, sys.stdout), _start_pump(errors, sys.stderr)]
    try:
        return subprocess.run(command, cwd=folder, env=env, stdout=out_end, stderr=errors_end, check=False).returncode  # noqa: S603
    finally:
        os.close(out_end)
        os.close(errors_end)
        for pump in pumps:
            pump.join(_LAST_WORDS_S)


@contextmanager
def filtered_errors() -> Iterator[None]:
    """Send what this process, its libraries and its children write to standard error through a sieve."""
    sys.stderr.flush()
    kept, (mouth, end) = os.dup(2), _like_stderr()
    with os.fdopen(kept, "w") as terminal:
        pump = _start_pump(mouth, terminal)
        os.dup2(end, 2)
        os.close(end)
        try:
            yield
        finally:
            sys.stderr.flush()
            with suppress(OSError):  # nobody reads it any more
                os.write(2, _END)  # a child that goes on would hold the pipe open
            os.dup2(kept, 2)
            pump.join(_LAST_WORDS_S)


def _like_stderr() -> tuple[int, int]:
    """Open a pipe; but a terminal of the same width where standard error is one, for progress bars are drawn on terminals only."""
    if not sys.stderr.isatty():
        return os.pipe()
    mouth, end = pty.openpty()
    tty.setraw(end)
    termios.tcsetwinsize(end, termios.tcgetwinsize(2))
    return mouth, end


def _start_pump(mouth: int, stream: TextIO) -> threading.Thread:
    pump = threading.Thread(target=_pump, args=(mouth, stream), daemon=True)
    pump.start()
    return pump


def _pump(mouth: int, stream: TextIO) -> None:
    sieve, decode = OutputFilter(), codecs.getincrementaldecoder("utf-8")("replace").decode
    try:
        for chunk in _chunks(mouth):
            stream.write(sieve.pass_on(decode(chunk)))
            stream.flush()
        stream.write(sieve.end())
        stream.flush()
    finally:
        os.close(mouth)


def _chunks(mouth: int) -> Iterator[bytes]:
    """Read to the end of a pipe, or of a terminal, which is an EIO; or to the byte that says so."""
    with suppress(OSError):
        while chunk := os.read(mouth, _CHUNK):
            yield chunk.removesuffix(_END)
            if chunk.endswith(_END):
                break
