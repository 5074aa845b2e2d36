"""Configure logging: readable lines on a terminal, JSON lines elsewhere. Silence standard error, and copy all output to a log file."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread
from typing import BinaryIO, TextIO

import structlog
from structlog.typing import Processor

_LAST_OUTPUT_S = 5.0  # a process that outlives the run may keep the pipe open
_NOISY_LOGGERS = ("alembic", "mlflow", "tensorflow", "urllib3", "uvicorn")
_PROCESSORS: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
)


def configure_logging() -> None:
    """Log to standard error from level INFO, with the fields passed as ``extra`` and those bound to the context."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_PROCESSORS, processors=_final_processors()))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


@contextmanager
def silence_stderr() -> Iterator[TextIO]:
    """Discard what the C++ code of TensorFlow and CUDA writes to standard error before it reads its log level.

    Yields a stream that still writes there.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as null, os.fdopen(stderr, "w") as terminal:
        os.dup2(null.fileno(), 2)
        try:
            yield terminal
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)


@contextmanager
def copy_output(file: Path) -> Iterator[None]:
    """Append to ``file`` what this process and those that it starts write to standard output and standard error while the block runs.

    The output itself still goes where it went before. Of a line that a progress bar has overwritten, the file gets the last state. If the
    block raises, the file gets the traceback.
    """
    log = _LogFile(file)
    is_one_stream = os.path.sameopenfile(1, 2)  # then one pipe keeps the order of the lines
    try:
        with ExitStack() as stack:
            for descriptors in [(1, 2)] if is_one_stream else [(1,), (2,)]:
                stack.enter_context(_forward_to(log, descriptors))
            yield
    except BaseException:
        log.write(traceback.format_exc().encode())
        raise
    finally:
        log.close()


class _LogFile:
    """A log that several threads write to. A full disk ends the log, not the program.

    Args:
        path: is created with its folder where it is missing.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock, self._file = Lock(), path.open("ab", buffering=0)

    def write(self, data: bytes) -> None:
        """Append whole lines."""
        with self._lock, suppress(OSError, ValueError):  # ValueError: it is closed
            self._file.write(data)

    def close(self) -> None:
        """Close the file; later lines are dropped."""
        with self._lock:
            self._file.close()


@contextmanager
def _forward_to(log: _LogFile, descriptors: Sequence[int]) -> Iterator[None]:
    """Send what is written to the file descriptors to a thread, which writes it to the first one's file and to the log."""
    originals = [os.dup(descriptor) for descriptor in descriptors]
    reader, writer = os.pipe()
    _flush_streams()
    for descriptor in descriptors:
        os.dup2(writer, descriptor)
    os.close(writer)
    thread = Thread(target=_forward_lines, args=(os.fdopen(reader, "rb", buffering=0), originals[0], log), daemon=True)
    thread.start()
    try:
        yield
    finally:
        _flush_streams()
        for descriptor, original in zip(descriptors, originals, strict=True):
            os.dup2(original, descriptor)
        thread.join(_LAST_OUTPUT_S)
        if not thread.is_alive():
            for original in originals:
                os.close(original)


def _forward_lines(reader: BinaryIO, terminal: int, log: _LogFile) -> None:
    pending = b""
    with reader:
        while data := reader.read(1 << 16):
            with suppress(OSError):  # the terminal was closed
                _write_all(terminal, data)
            *lines, pending = (pending + data).split(b"\n")
            log.write(b"".join(_last_state(line) + b"\n" for line in lines))
    if pending:
        log.write(_last_state(pending) + b"\n")


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _last_state(line: bytes) -> bytes:
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _flush_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _final_processors() -> tuple[Processor, ...]:
    plain = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        return plain, structlog.dev.ConsoleRenderer()
    return plain, structlog.processors.format_exc_info, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()
