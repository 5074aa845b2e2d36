"""The embedded metadata server's process: MongoDB's wire protocol (NX-27017) over one SQLite file, on loopback, for one checkout.

``python -m realframe.store.embedded_server FOLDER`` returns when the server answers; the server itself goes on in the background and ends
when nobody has held the lease for a while. Clients start it by themselves: ``realframe.store.embedded_store``.

What is alive is told by locks of the kernel, which end with their process however it dies, and never by a pid file.
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

DATABASE = "metadata.db"
ADDRESS = "address.json"  # {"port": ..., "pid": ...} of the server that holds ALIVE
ALIVE = "server.lock"  # held by the server as long as it lives
LEASE = "lease.lock"  # shared by its clients; the server ends when it gets it alone
_POLL_S = 0.5
_READY = b"1"


def main(arguments: list[str]) -> int:
    """Start the server in the background; return 0 once it answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--idle-s", type=float, default=10.0, help="seconds without a client after which it ends")
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


async def _serve(folder: Path, idle_s: float, ready: int) -> None:
    from nx_27017.handler import NeoSQLiteHandler
    from nx_27017.server import handle_client

    with (folder / ALIVE).open("ab") as alive, (folder / LEASE).open("ab") as lease:
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        handler = NeoSQLiteHandler(str(folder / DATABASE))
        server = await _listen(lambda reader, writer: handle_client(reader, writer, handler), folder)
        port = server.sockets[0].getsockname()[1]
        write_text(folder / ADDRESS, json.dumps({"port": port, "pid": os.getpid()}))
        os.write(ready, _READY)
        os.close(ready)
        await _until_unused(lease, idle_s)
        server.close()
        handler.conn.close()


async def _listen(serve_client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], folder: Path) -> asyncio.Server:
    """Listen on the port of the last time, so that clients that still know it find the server again; else on any free one."""
    with suppress(OSError, ValueError, KeyError):
        return await asyncio.start_server(serve_client, "127.0.0.1", json.loads((folder / ADDRESS).read_text())["port"])
    return await asyncio.start_server(serve_client, "127.0.0.1", 0)


async def _until_unused(lease: IO[bytes], idle_s: float) -> None:
    """Return with the lease in hand: who comes now waits for it until this process is gone, and then starts the next one."""
    used = time.monotonic()
    while True:
        await asyncio.sleep(min(_POLL_S, idle_s))
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            used = time.monotonic()
            continue
        if time.monotonic() - used >= idle_s:
            return
        fcntl.flock(lease, fcntl.LOCK_UN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
