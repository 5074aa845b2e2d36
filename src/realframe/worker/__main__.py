"""A worker: the process that scores what was handed in. ``realframe serve`` starts it; more may run on other machines with the same store.

``python -m realframe.worker`` works until it is told to leave by SIGTERM or SIGINT. It takes one file at a time.
"""

import argparse
import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from realframe import logs
from realframe.errors import MetadataError
from realframe.settings import Settings, get_settings
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError

_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Work until told to leave; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=get_settings().workers, help="of one operation of the network")
    parser.add_argument("--with-parent", action="store_true", help="leave when standard input ends")
    options = parser.parse_args(arguments)
    _prepare(options.threads)
    logs.configure()
    ending = Shutdown()
    ending.listen()
    if options.with_parent:
        ending.with_parent()
    with suppress(ShutdownRequestedError):  # before it has begun
        _run(get_settings(), ending)
    return 0


def _prepare(threads: int) -> None:
    """Tell TensorFlow and MLflow how to behave, before they are imported."""
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    os.environ.update({name: os.environ.get(name, value) for name, value in quiet.items()})


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep TensorFlow's C++ quiet as it is loaded: it speaks before it looks how loud it may be."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _run(settings: Settings, ending: Shutdown) -> None:
    with _hushed(), ending.interruptible():
        from realframe.worker.heartbeat import Heartbeat
        from realframe.worker.model_manager import ModelManager
        from realframe.worker.store_connection import StoreConnection
        from realframe.worker.worker_loop import WorkerLoop

    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    _log.info("worker begins", extra={"worker": name})
    with ExitStack() as parts:
        warm = parts.enter_context(ModelManager())
        door, own = (parts.enter_context(StoreConnection(settings, ending.told)) for _ in range(2))
        pulse = parts.enter_context(Heartbeat(own, warm, name))
        parts.enter_context(suppress(MetadataError))  # the store is away as it leaves: what it has is another's after a while
        WorkerLoop(settings, door, warm, ending, pulse).run()
    _log.info("worker leaves", extra={"worker": name})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
