"""The embedded metadata server of a checkout, which needs no set-up: MongoDB's wire protocol (NX-27017) over one SQLite file.

Several processes may need the server at once: one starts it with ``python -m realframe.store.embedded_server FOLDER``, which returns when
the server answers, and the others wait for it. The server runs in the background, on the loopback interface, while any process is inside
``serve_embedded``, and stops ten seconds after the last one has left. A server that was killed is started again by the next process;
everything that it had acknowledged is in its SQLite file.

Whether the server and its clients are alive is known from file locks, which the kernel releases however a process dies; a pid file would
outlive its process.
"""

import argparse
import asyncio
import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from filelock import FileLock

from realframe.errors import MetadataError
from realframe.files import write_text

_LOG_FILE = "server.log"
_START_TIMEOUT_S = 60
_IDLE_S = 10.0
DATABASE_FILE = "metadata.db"
ADDRESS_FILE = "address.json"  # {"port": ..., "pid": ...} of the server that holds the server lock
SERVER_LOCK = "server.lock"  # held by the server while it runs
LEASE_LOCK = "lease.lock"  # shared by the clients; the server stops when it gets the lock alone
_POLL_S = 0.5
_READY = b"1"


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


def main(arguments: list[str]) -> int:
    """Start the server in the background; return 0 once it answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--idle-s", type=float, default=10.0, help="seconds without a client after which the server stops")
    options = parser.parse_args(arguments)
    logging.getLogger("nx_27017").setLevel(logging.ERROR)
    logging.getLogger("neosqlite").setLevel(logging.ERROR)
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        return 0 if os.read(reader, 1) == _READY else 1
    os.close(reader)
    os.setsid()
    asyncio.run(_serve(options.folder, options.idle_s, writer))
    return 0


async def _serve(folder: Path, idle_s: float, ready_fd: int) -> None:
    from nx_27017.handler import NeoSQLiteHandler
    from nx_27017.server import handle_client

    with (folder / SERVER_LOCK).open("ab") as server_lock, (folder / LEASE_LOCK).open("ab") as lease:
        fcntl.flock(server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        handler = NeoSQLiteHandler(str(folder / DATABASE_FILE))
        server = await _listen(lambda reader, writer: handle_client(reader, writer, handler), folder)
        port = server.sockets[0].getsockname()[1]
        write_text(folder / ADDRESS_FILE, json.dumps({"port": port, "pid": os.getpid()}))
        os.write(ready_fd, _READY)
        os.close(ready_fd)
        await _wait_until_unused(lease, idle_s)
        server.close()
        handler.conn.close()


async def _listen(serve_client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], folder: Path) -> asyncio.Server:
    """Listen on the port of the previous server, which its clients know; if that fails, on any free port."""
    with suppress(OSError, ValueError, KeyError):
        return await asyncio.start_server(serve_client, "127.0.0.1", json.loads((folder / ADDRESS_FILE).read_text())["port"])
    return await asyncio.start_server(serve_client, "127.0.0.1", 0)


async def _wait_until_unused(lease: IO[bytes], idle_s: float) -> None:
    """Return while holding the lease alone: a new client waits for it until this process has ended, and then starts the next server."""
    last_used = time.monotonic()
    while True:
        await asyncio.sleep(min(_POLL_S, idle_s))
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            last_used = time.monotonic()
            continue
        if time.monotonic() - last_used >= idle_s:
            return
        fcntl.flock(lease, fcntl.LOCK_UN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
