"""What the service says while it runs: lines for people at a terminal, JSON for programs that read them elsewhere."""

import logging
import sys

import structlog
from structlog.typing import Processor

_LOUD = ("alembic", "mlflow", "tensorflow", "urllib3", "uvicorn")
_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
)


def configure() -> None:
    """Let this process say what matters on its standard error, with what is given as ``extra`` and bound to the context."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_SHARED, processors=_last()))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)


def _last() -> tuple[Processor, ...]:
    plain = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if sys.stderr.isatty():
        return plain, structlog.dev.ConsoleRenderer()
    return plain, structlog.processors.format_exc_info, structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()
