"""Run a worker: a process that scores uploaded files, one at a time, until SIGTERM or SIGINT.

``realframe serve`` starts workers with ``python -m realframe.worker``; more may run on other machines with the same store.
"""

import argparse
import logging
import os
import secrets
import socket
import sys
from contextlib import ExitStack, suppress

from realframe import logs
from realframe.errors import MetadataError, RealframeError
from realframe.settings import Settings, get_settings
from realframe.threads import prepare_import, set_thread_variables
from realframe.worker.shutdown import Shutdown, ShutdownRequestedError

_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Work until a shutdown is requested; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=get_settings().workers, help="threads of one operation of the network")
    parser.add_argument("--with-parent", action="store_true", help="shut down when standard input ends")
    options = parser.parse_args(arguments)
    _set_environment(options.threads)
    logs.configure_logging()
    shutdown = Shutdown()
    shutdown.handle_signals()
    if options.with_parent:
        shutdown.follow_parent()
    with suppress(ShutdownRequestedError):  # during the start
        _run(get_settings(), shutdown)
    return 0


def _set_environment(threads: int) -> None:
    """Configure TensorFlow and MLflow, which read the environment when they are imported."""
    set_thread_variables(threads)
    prepare_import()
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}
    os.environ.update({name: os.environ.get(name, value) for name, value in quiet.items()})


def _run(settings: Settings, shutdown: Shutdown) -> None:
    with shutdown.interruptible():
        from realframe.worker.heartbeat import Heartbeat
        from realframe.worker.model_manager import ModelManager
        from realframe.worker.store_connection import StoreConnection
        from realframe.worker.watchdog import Watchdog
        from realframe.worker.worker_loop import WorkerLoop

    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    _log.info("worker started", extra={"worker": name})
    with ExitStack() as stack:
        watchdog = stack.enter_context(Watchdog(settings.file_timeout_s))
        models = stack.enter_context(ModelManager(watchdog))
        connection, heartbeat_connection = (stack.enter_context(StoreConnection(settings, shutdown.requested)) for _ in range(2))
        heartbeat = stack.enter_context(Heartbeat(heartbeat_connection, models, name))
        stack.enter_context(suppress(MetadataError))  # no store at the end: the claim on the current file expires after a while
        WorkerLoop(settings, connection, models, shutdown, heartbeat, watchdog).run()
    _log.info("worker stops", extra={"worker": name})


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except RealframeError as error:  # such as a malformed environment variable
        sys.exit(f"{error.code}: {error}")
