"""Configure logging: readable lines on a terminal, JSON lines elsewhere."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import Processor

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


def _final_processors() -> tuple[Processor, ...]:
    plain = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        return plain, structlog.dev.ConsoleRenderer()
    return plain, structlog.processors.format_exc_info, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()
