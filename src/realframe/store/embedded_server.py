"""The embedded metadata server of a checkout, which needs no set-up: MongoDB's wire protocol (NX-27017) over one SQLite file.

Several processes may need the server at once: one starts it with ``python -m realframe.store.embedded_server FOLDER``, which returns when
the server answers, and the others wait for it. The server runs in the background while any process is inside ``serve_embedded``, and
stops ten seconds after the last one has left. A server that was killed is started again by the next process; everything that it had
acknowledged is in its SQLite file.

NX-27017 has no authentication, and its own command listens on a TCP port, which every user of the machine can connect to. Here it listens
on a Unix socket in a folder with mode 0700 instead, and on no port.

Whether the server and its clients are alive is known from file locks, which the kernel releases however a process dies; a pid file would
outlive its process.
"""

import argparse
import asyncio
import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote

from filelock import FileLock

from realframe.child_processes import environment_without_mark
from realframe.errors import MetadataError, SetupError
from realframe.permissions import PRIVATE_UMASK, create_private_file, open_private_file, open_private_folder, write_private_text

_LOG_FILE = "server.log"
_START_TIMEOUT_S = 60
_IDLE_S = 10.0
DATABASE_FILE = "metadata.db"
SOCKET_NAME = "store.sock"
ADDRESS_FILE = "address.json"  # {"socket": ..., "pid": ...} of the server that holds the server lock
SERVER_LOCK = "server.lock"  # held by the server while it runs
LEASE_LOCK = "lease.lock"  # shared by the clients; the server stops when it gets the lock alone
_MIN_FREE_BYTES = 1_000_000  # an empty database and its journal
_POLL_S = 0.5
_READY = b"1"


@contextmanager
def serve_embedded(folder: Path, idle_s: float = _IDLE_S) -> Iterator[str]:
    """Yield the URI of the server whose data are in ``folder``, and start the server if it does not run.

    Args:
        folder: created with mode 0700 if it is missing; one server per folder.
        idle_s: seconds after its last client at which a server that is started here stops.

    Raises:
        MetadataError: the server does not start.
        SetupError: the folder belongs to another user.
    """
    with ExitStack() as stack:
        try:
            open_private_folder(folder)
            lease = stack.enter_context(open_private_file(folder / LEASE_LOCK, "a"))
            fcntl.flock(lease, fcntl.LOCK_SH)
            with FileLock(folder / "start.lock", mode=0o600):
                if not _is_running(folder):
                    _start(folder, idle_s)
        except OSError as error:
            raise _make_start_error(folder, f"{error.strerror or error}") from error
        yield f"mongodb://{quote(str(find_socket(folder)), safe='')}/"


def find_socket(folder: Path) -> Path | None:
    """Return the socket of the server whose data are in ``folder``; None if none was started yet."""
    address = folder / ADDRESS_FILE
    return Path(json.loads(address.read_text())["socket"]) if address.exists() else None


def _is_running(folder: Path) -> bool:
    with open_private_file(folder / SERVER_LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start(folder: Path, idle_s: float) -> None:
    command = [sys.executable, "-m", "realframe.store.embedded_server", str(folder.resolve()), "--idle-s", str(idle_s)]
    log = folder / _LOG_FILE
    with open_private_file(log, "w") as stream:
        try:
            # it runs in its own folder, since the worktree of a run, from which it may be started, is removed later
            env = environment_without_mark(os.environ)  # nor does it end with that run
            result = subprocess.run(  # noqa: S603
                command, cwd=folder, env=env, stdout=stream, stderr=stream, timeout=_START_TIMEOUT_S, check=False
            )
            failure = f"its process ended with status {result.returncode}" if result.returncode else ""
        except subprocess.TimeoutExpired:
            failure = f"no answer in {_START_TIMEOUT_S} seconds"
    if failure:
        lines = log.read_text(errors="replace").strip().splitlines()
        raise _make_start_error(folder, lines[-1] if lines else failure)


def _make_start_error(folder: Path, reason: str) -> MetadataError:
    """Return the error of a server that does not start; a full disk is found by its free space, since nothing can write to the log then."""
    free = shutil.disk_usage(next(existing for existing in (folder, *folder.parents) if existing.is_dir())).free
    if free < _MIN_FREE_BYTES or any(word in reason.lower() for word in ("no space left", "disk is full")):
        hint = "Free space on it, or set REALFRAME_HOME to a folder on another disk. `.realframe/cache` may always be deleted."
        return MetadataError(folder, f"the metadata server did not start, because the disk is full ({free / 1e6:,.1f} MB free)", hint)
    return MetadataError("the embedded metadata server", f"did not start: {reason}", f"See its log: {folder / _LOG_FILE}.")


def main(arguments: list[str]) -> int:
    """Start the server in the background; return 0 once it answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--idle-s", type=float, default=10.0, help="seconds without a client after which the server stops")
    options = parser.parse_args(arguments)
    os.umask(PRIVATE_UMASK)
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

    with open_private_file(folder / SERVER_LOCK, "a") as server_lock, open_private_file(folder / LEASE_LOCK, "a") as lease:
        fcntl.flock(server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for file in (folder / DATABASE_FILE, *folder.glob(f"{DATABASE_FILE}-*")):
            create_private_file(file)
        handler = NeoSQLiteHandler(str(folder / DATABASE_FILE))
        server, path = await _listen(lambda reader, writer: handle_client(reader, writer, handler), folder)
        own_socket = path.stat()
        write_private_text(folder / ADDRESS_FILE, json.dumps({"socket": str(path), "pid": os.getpid()}))
        os.write(ready_fd, _READY)
        os.close(ready_fd)
        await _wait_until_unused(lease, idle_s)
        server.close()
        with suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), own_socket):  # not the one of the next server, after the folder was deleted and made again
                path.unlink()
        handler.conn.close()


async def _listen(
    serve_client: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], folder: Path
) -> tuple[asyncio.Server, Path]:
    """Listen on a socket in ``folder``, or in a short folder where the path is too long for a socket or the file system has none.

    The path is the same for each server of the folder, so that the clients of a killed server find the next one.
    """
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16] + ".sock"
    short_folders = [
        Path(parent) / f"realframe-{os.geteuid()}" for parent in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir()) if parent
    ]
    failure: Exception | None = None
    for path in (folder / SOCKET_NAME, *(short / name for short in short_folders)):
        try:
            open_private_folder(path.parent)
            return await asyncio.start_unix_server(serve_client, path), path
        except (OSError, SetupError) as error:
            failure = failure if isinstance(failure, SetupError) else error
    raise SetupError("Unix socket", f"cannot be created: {failure}", "Name a folder with a shorter path by REALFRAME_HOME.")


async def _wait_until_unused(lease: IO[str], idle_s: float) -> None:
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
