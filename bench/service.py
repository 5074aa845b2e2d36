"""A running ``realframe serve`` for what is made or measured with it."""

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
from realframe.runs.worktree import without_servers
from realframe.settings import Settings

READY_S = 120.0


@contextmanager
def serving(settings: Settings, **environment: str) -> Iterator[str]:
    """Serve a checkout on a free port, and yield its address once it scores. Raises SetupError.

    Args:
        settings: of the checkout.
        environment: settings of the service, such as ``REALFRAME_UPLOADS_PER_MINUTE``.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "realframe", "serve", "--port", str(port)]
    own = {"REALFRAME_ROOT": str(settings.root), "REALFRAME_HOME": str(settings.state)}
    env = without_servers(dict(os.environ)) | own | environment
    with subprocess.Popen(command, cwd=settings.root, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _wait_for(f"{url}/readyz")
            yield url
        finally:
            process.send_signal(signal.SIGINT)


def _wait_for(url: str) -> None:
    began = time.monotonic()
    while time.monotonic() - began < READY_S:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SetupError(url, f"is not ready after {READY_S:.0f} s", "`realframe serve` in the same checkout says why.")
