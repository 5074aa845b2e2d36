"""Configure logging: readable lines on a terminal, JSON lines elsewhere."""

import logging
import sys

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


def _final_processors() -> tuple[Processor, ...]:
    plain = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        return plain, structlog.dev.ConsoleRenderer()
    return plain, structlog.processors.format_exc_info, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()
