"""Takes a file in: from the network straight to its place on disk, then into the store. What gets no record leaves nothing."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from anyio import fail_after, to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from realframe.errors import BodyError, InsufficientStorageError, MetadataError, RequestTimeoutError
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.detection_documents import RANKS, DetectionRecord, Lane
from realframe.store.repository import Store
from realframe.web.auth.authentication import Caller
from realframe.web.uploads.multipart_form import Body, too_large

MEDIA = "media"
"""What a file is called in its record's folder."""
_INCOMING = ".incoming"
_PAUSE_S = 30.0
_PATIENCE_S, _BYTES_PER_S = 60.0, 10_000.0
_AROUND = 65_536  # what a form adds to its file, at most
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LEFT_S = 24 * 3600.0


async def take_in(request: Request, caller: Caller, batch: str = "", *, form: bool = False) -> DetectionRecord:
    """Take in the file of a multipart body and return its record: from then on it is accepted.

    Args:
        request: whose body has not been read.
        caller: who hands it in.
        batch: 16 hex digits that files have in common which are handed in together; empty for one alone.
        form: it is a page's form, which proves by a field ``csrf`` that it is ours.

    Raises:
        RateLimitError, BusyError: it is worth another try later; nothing was read.
        BodyTypeError, BodyError, TooLargeError, RequestTimeoutError, ForbiddenError: of the body.
        InsufficientStorageError: the disk is full.
    """
    state = request.app.state
    state.pace.upload(request, caller)
    _check_length(request, state.settings)
    lane: Lane = "batch" if batch else "live"
    async with state.room.place(state.store, lane):
        with _place(state.settings.uploads_dir) as part:
            with part.open("wb") as target:
                body = await _received(request, target, state.settings.upload_max_bytes)
                if form:
                    caller.check_csrf(body.fields.get("csrf", ""))
                await to_thread.run_sync(_synced, target)
            detection_id = upload_queue.new_id()
            record = DetectionRecord(
                detection_id=detection_id,
                owner=caller.name,
                file=body.name,
                bytes=body.bytes,
                batch=batch,
                lane=lane,
                rank=RANKS[lane],
                created=_time_of(detection_id),
            )
            await to_thread.run_sync(_accept, state.store, record, part, state.settings.uploads_dir)
    state.metrics.taken_in(record.bytes)
    return record


def sweep(store: Store, uploads: Path) -> None:
    """Remove what a killed process left: files that never became a record, or whose record is gone. They are at least a day old."""
    if not uploads.exists():
        return
    known = store.keys(DetectionRecord)
    left = [*uploads.iterdir(), *(uploads / _INCOMING).glob("*")]
    for path in left:
        if path.name not in known and path.name != _INCOMING and time.time() - path.stat().st_mtime > _LEFT_S:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _check_length(request: Request, settings: Settings) -> None:
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 20 or int(said) > settings.upload_max_bytes + _AROUND):
        raise too_large(settings.upload_max_bytes)


@contextmanager
def _place(uploads: Path) -> Iterator[Path]:
    """Give a path for what arrives; nothing is left of it where it was not accepted. Raises InsufficientStorageError."""
    part = uploads / _INCOMING / secrets.token_hex(16)
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        if error.errno in _FULL:
            raise InsufficientStorageError("disk", "is full", "Tell whoever runs this service; nothing of the file was kept.") from error
        raise
    finally:
        part.unlink(missing_ok=True)


async def _received(request: Request, target: BinaryIO, most: int) -> Body:
    """Read the body to its end; a piece at a time is in memory."""
    body, began, received = Body(request.headers.get("content-type", ""), target, most), time.monotonic(), 0
    pieces = request.stream()
    try:
        while True:
            with fail_after(_PAUSE_S):
                piece = await anext(pieces, None)
            if piece is None:
                break
            received += len(piece)
            _check_speed(received, time.monotonic() - began)
            await to_thread.run_sync(body.feed, piece)
    except TimeoutError as error:
        raise RequestTimeoutError("body", f"stood still for {_PAUSE_S:.0f} s", "Send it again.") from error
    except ClientDisconnect as error:
        raise BodyError("body", "ends before it is all there", "Send it again.") from error
    body.close()
    return body


def _check_speed(received: int, seconds: float) -> None:
    """Raise RequestTimeoutError where somebody holds a place in the queue with next to nothing."""
    if seconds > _PATIENCE_S + received / _BYTES_PER_S:
        raise RequestTimeoutError("body", f"comes at less than {_BYTES_PER_S / 1000:.0f} kB per second", "Send it over a faster line.")


def _time_of(detection_id: str) -> str:
    return datetime.fromtimestamp(int(detection_id[:16], 16) / 1e9, UTC).isoformat(timespec="milliseconds")


def _synced(target: BinaryIO) -> None:
    target.flush()
    os.fsync(target.fileno())


def _accept(store: Store, record: DetectionRecord, part: Path, uploads: Path) -> None:
    """First the file is safe in its place, then the record says so."""
    folder = uploads / record.key
    folder.mkdir()
    try:
        part.replace(folder / MEDIA)
        for changed in (folder, uploads):
            _sync_folder(changed)
        store.insert(record)
    except MetadataError:
        if store.get(DetectionRecord, record.key) is None:  # where the store can't tell either, `sweep` will
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
