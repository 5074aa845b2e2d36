"""Run ``realframe serve`` for the scripts of this folder."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from realframe.errors import SetupError
from realframe.runs.git_dvc import without_server_variables
from realframe.settings import Settings

READY_S = 120.0


@contextmanager
def serving(settings: Settings, **environment: str) -> Iterator[str]:
    """Serve a checkout on a free port and yield its URL once it is ready to score. Raises SetupError.

    Args:
        settings: of the checkout.
        environment: settings of the service, such as ``REALFRAME_UPLOADS_PER_MINUTE``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "realframe", "serve", "--port", str(port)]
    variables = {"REALFRAME_ROOT": str(settings.root), "REALFRAME_HOME": str(settings.state_dir)}
    env = without_server_variables(dict(os.environ)) | variables | environment
    with subprocess.Popen(command, cwd=settings.root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _wait_for(f"{url}/readyz")
            yield url
        finally:
            process.send_signal(signal.SIGINT)


def _wait_for(url: str) -> None:
    start = time.monotonic()
    while time.monotonic() - start < READY_S:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SetupError(url, f"is not ready after {READY_S:.0f} s", "Run `realframe serve` in the same checkout to see the reason.")
