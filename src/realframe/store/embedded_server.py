"""Run the embedded metadata server: MongoDB's wire protocol (NX-27017) over one SQLite file, on the loopback interface, for one checkout.

``python -m realframe.store.embedded_server FOLDER`` returns when the server answers. The server runs in the background and stops when no
client has held the lease for a while. ``realframe.store.embedded_store`` starts it for its clients.

Whether the server and its clients are alive is known from file locks, which the kernel releases however a process dies; a pid file would
outlive its process.
"""

import argparse
import asyncio
import fcntl
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from realframe.files import write_text

DATABASE_FILE = "metadata.db"
ADDRESS_FILE = "address.json"  # {"port": ..., "pid": ...} of the server that holds the server lock
SERVER_LOCK = "server.lock"  # held by the server while it runs
LEASE_LOCK = "lease.lock"  # shared by the clients; the server stops when it gets the lock alone
_POLL_S = 0.5
_READY = b"1"


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
