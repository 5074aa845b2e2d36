"""Filter the output of DVC, TensorFlow and MLflow: keep what stages, warnings and errors print, drop routine messages.

Whether a stage runs or comes from the cache is one line. Unknown lines and progress bars pass unchanged.
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
    r"Stage '(.+)' didn't change, skipping": "stage {}: unchanged, skipping",
    r"Pulling data for stage: '(.+)'": "stage {}: unchanged, fetching its outputs",
    r"Stage '(.+)' is cached - skipping run, checking out outputs": "stage {}: cached, restoring its outputs",
}
_DROPPED = (
    # DVC
    r"> python -m pipelines\.\w+",
    r"(Generating|Updating) lock file '.+'",
    r"Use `dvc push` to send your updates to remote storage\.",
    r"Data and pipelines are up to date\.",
    # TensorFlow's C++ code logs this before it reads TF_CPP_MIN_LOG_LEVEL
    r"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR",
    r"I0000 \d\d:\d\d:\d+\.\d+ +\d+ \S+:\d+\] .*",
    # MLflow; the warning about pip appears in an environment without pip
    r"\d{4}/\d\d/\d\d [\d:]+ INFO mlflow\..*",
    r"\d{4}/\d\d/\d\d [\d:]+ WARNING mlflow\.utils\.environment: Failed to resolve installed pip version.*",
    r"(Successfully registered model|Registered model|Created version) '.+",
    # Airflow; `realframe up` prints the passwords itself
    r"Simple auth manager \| Password for user .*",
)
_LINE_OR_REST = re.compile(r"[^\r\n]*[\r\n]|[^\r\n]+")
_CHUNK = 1 << 16
_READER_TIMEOUT_S = 5.0  # a process that outlives its parent holds the pipe open
_END_MARK = b"\x04"  # end of transmission


class OutputFilter:
    """Drop or reword known lines of a stream.

    A line is buffered until it is complete, except after a carriage return, where a progress bar is drawn.
    """

    def __init__(self) -> None:
        self._buffer = ""
        self._after_carriage_return = False  # the last line end was a carriage return
        self._line_started = False  # a part of this line has been shown

    def feed(self, text: str) -> str:
        """Add text of the stream and return the filtered text that is ready."""
        return "".join(self._filter_piece(piece) for piece in _LINE_OR_REST.findall(self.flush() + text))

    def flush(self) -> str:
        """Return the buffered text."""
        buffered, self._buffer = self._buffer, ""
        return buffered

    def _filter_piece(self, piece: str) -> str:
        if piece[-1] in "\r\n":
            started, self._line_started, self._after_carriage_return = self._line_started, False, piece[-1] == "\r"
            return piece if started or self._after_carriage_return else filter_line(piece)
        if self._after_carriage_return:
            self._line_started = True
            return piece
        self._buffer = piece
        return ""


def filter_line(line: str) -> str:
    """Return a complete line, its line end included, unchanged, reworded or empty."""
    text = line.rstrip("\n")
    for pattern, words in _REWORDED.items():
        if match := re.fullmatch(pattern, text):
            return words.format(match[1]) + "\n"
    return "" if any(re.fullmatch(pattern, text) for pattern in _DROPPED) else line


def run_filtered(command: list[str], folder: Path, env: Mapping[str, str]) -> int:
    """Run a command in ``folder``, filter its output to this process' standard output and error, and return its exit status."""
    (stdout_read, stdout_write), (stderr_read, stderr_write) = os.pipe(), _open_pipe_like_stderr()
    readers = [_start_reader(stdout_read, sys.stdout), _start_reader(stderr_read, sys.stderr)]
    try:
        return subprocess.run(command, cwd=folder, env=env, stdout=stdout_write, stderr=stderr_write, check=False).returncode  # noqa: S603
    finally:
        os.close(stdout_write)
        os.close(stderr_write)
        for reader in readers:
            reader.join(_READER_TIMEOUT_S)


@contextmanager
def filtered_stderr() -> Iterator[None]:
    """Filter what this process, its libraries and its child processes write to standard error."""
    sys.stderr.flush()
    saved_stderr, (read_end, write_end) = os.dup(2), _open_pipe_like_stderr()
    with os.fdopen(saved_stderr, "w") as terminal:
        reader = _start_reader(read_end, terminal)
        os.dup2(write_end, 2)
        os.close(write_end)
        try:
            yield
        finally:
            sys.stderr.flush()
            with suppress(OSError):  # the reader has ended
                os.write(2, _END_MARK)  # a child process that continues would keep the pipe open
            os.dup2(saved_stderr, 2)
            reader.join(_READER_TIMEOUT_S)


def _open_pipe_like_stderr() -> tuple[int, int]:
    """Open a pipe, or a pseudo-terminal of the same width if standard error is a terminal: progress bars need one."""
    if not sys.stderr.isatty():
        return os.pipe()
    read_end, write_end = pty.openpty()
    tty.setraw(write_end)
    termios.tcsetwinsize(write_end, termios.tcgetwinsize(2))
    return read_end, write_end


def _start_reader(read_end: int, stream: TextIO) -> threading.Thread:
    reader = threading.Thread(target=_copy_filtered, args=(read_end, stream), daemon=True)
    reader.start()
    return reader


def _copy_filtered(read_end: int, stream: TextIO) -> None:
    output_filter, decode = OutputFilter(), codecs.getincrementaldecoder("utf-8")("replace").decode
    try:
        for chunk in _read_chunks(read_end):
            stream.write(output_filter.feed(decode(chunk)))
            stream.flush()
        stream.write(output_filter.flush())
        stream.flush()
    finally:
        os.close(read_end)


def _read_chunks(read_end: int) -> Iterator[bytes]:
    """Yield the bytes up to the end of the pipe, the end of the terminal (an OSError), or the end mark."""
    with suppress(OSError):
        while chunk := os.read(read_end, _CHUNK):
            yield chunk.removesuffix(_END_MARK)
            if chunk.endswith(_END_MARK):
                break
