"""The metadata store with nothing set up: a server of this checkout's own, started by the first who needs it, shared by all.

Several processes may ask at once; one starts the server and the others wait for it. While one of them is inside ``embedded`` the
server stays; ten seconds after the last one it ends by itself. A server that was killed is started again by the next who asks: what
it had acknowledged is in its SQLite file.
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
from realframe.store.embedded_server import ADDRESS, ALIVE, LEASE

_LOG = "server.log"
_START_S = 60
_IDLE_S = 10.0


@contextmanager
def embedded(folder: Path, idle_s: float = _IDLE_S) -> Iterator[str]:
    """Yield the URI of the server whose data lie in ``folder``, starting it where it does not run. Raises MetadataError.

    Args:
        folder: made where it is missing; one server per folder, on a free port of 127.0.0.1.
        idle_s: a server that is started here ends so many seconds after its last client.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LEASE).open("ab") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        with FileLock(folder / "start.lock"):
            if not _alive(folder):
                _start(folder, idle_s)
        yield f"mongodb://127.0.0.1:{_address(folder)['port']}/"


def _alive(folder: Path) -> bool:
    with (folder / ALIVE).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start(folder: Path, idle_s: float) -> None:
    command = [sys.executable, "-m", "realframe.store.embedded_server", str(folder.resolve()), "--idle-s", str(idle_s)]
    log = folder / _LOG
    with log.open("wb") as stream:
        try:
            # its working folder is its own: a run's worktree, from which it may be started, is removed
            failed = subprocess.run(command, cwd=folder, stdout=stream, stderr=stream, timeout=_START_S, check=False).returncode != 0  # noqa: S603
        except subprocess.TimeoutExpired:
            failed = True
    if failed:
        said = log.read_text(errors="replace").strip().splitlines()
        reason = f"did not start: {said[-1] if said else f'no answer in {_START_S} seconds'}"
        raise MetadataError("the embedded metadata server", reason, f"Its log is {log}.")


def _address(folder: Path) -> dict[str, int]:
    return dict(json.loads((folder / ADDRESS).read_text()))
