"""Start and share the embedded metadata server of a checkout, which needs no set-up.

Several processes may need it at once: one starts the server and the others wait for it. The server runs while any of them is inside
``serve_embedded``, and stops ten seconds after the last one has left. A server that was killed is started again by the next process;
everything that it had acknowledged is in its SQLite file.
"""

import fcntl
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from realframe.errors import MetadataError
from realframe.store.embedded_server import ADDRESS_FILE, LEASE_LOCK, SERVER_LOCK

_LOG_FILE = "server.log"
_START_TIMEOUT_S = 60
_IDLE_S = 10.0


@contextmanager
def serve_embedded(folder: Path, idle_s: float = _IDLE_S) -> Iterator[str]:
    """Yield the URI of the server whose data are in ``folder``, and start the server if it does not run. Raises MetadataError.

    Args:
        folder: created if it is missing; one server per folder, on a free port of 127.0.0.1.
        idle_s: seconds after its last client at which a server that is started here stops.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LEASE_LOCK).open("ab") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        with FileLock(folder / "start.lock"):
            if not _is_running(folder):
                _start(folder, idle_s)
        yield f"mongodb://127.0.0.1:{_read_address(folder)['port']}/"


def _is_running(folder: Path) -> bool:
    with (folder / SERVER_LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start(folder: Path, idle_s: float) -> None:
    command = [sys.executable, "-m", "realframe.store.embedded_server", str(folder.resolve()), "--idle-s", str(idle_s)]
    log = folder / _LOG_FILE
    with log.open("wb") as stream:
        try:
            # it runs in its own folder, since the worktree of a run, from which it may be started, is removed later
            result = subprocess.run(command, cwd=folder, stdout=stream, stderr=stream, timeout=_START_TIMEOUT_S, check=False)  # noqa: S603
            has_failed = result.returncode != 0
        except subprocess.TimeoutExpired:
            has_failed = True
    if has_failed:
        lines = log.read_text(errors="replace").strip().splitlines()
        reason = f"did not start: {lines[-1] if lines else f'no answer in {_START_TIMEOUT_S} seconds'}"
        raise MetadataError("the embedded metadata server", reason, f"See its log: {log}.")


def _read_address(folder: Path) -> dict[str, int]:
    return dict(json.loads((folder / ADDRESS_FILE).read_text()))
