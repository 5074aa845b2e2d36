"""Accept uploads: stream a file from the network to its place on disk, then write its record. A refused upload leaves nothing behind."""

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

from realframe.errors import MetadataError
from realframe.permissions import open_private_file, open_private_folder
from realframe.settings import Settings
from realframe.store import upload_queue
from realframe.store.accounts import User
from realframe.store.detection_documents import LANE_PRIORITIES, DetectionRecord, Lane
from realframe.store.repository import Store
from realframe.store.upload_queue import INCOMING_NAME, MEDIA_NAME
from realframe.web.auth.sessions import check_csrf
from realframe.web.request_errors import MalformedBodyError, RequestTimeoutError
from realframe.web.uploads.multipart_form import MultipartForm, file_too_large

_READ_TIMEOUT_S = 30.0
_SPEED_GRACE_S, _MIN_BYTES_PER_S = 60.0, 10_000.0
_FORM_OVERHEAD_BYTES = 65_536  # what a form adds to its file, at most


async def accept_upload(request: Request, user: User, batch: str = "", *, is_form: bool = False) -> DetectionRecord:
    """Store the file of a multipart body and return its record. Once the record is written, the upload is accepted.

    Args:
        request: the request; its body has not been read yet.
        user: the user who uploads the file.
        batch: 16 hex digits that the files of a batch share; empty for a single file.
        is_form: whether the request is a page's form, which proves its origin by the field ``csrf``.

    Raises:
        RateLimitError, QueueFullError: the upload may be repeated later; nothing was read.
        UnsupportedMediaTypeError, MalformedBodyError, ContentTooLargeError, RequestTimeoutError, ForbiddenError: the body is refused.
        OSError: the disk is full.
    """
    state = request.app.state
    state.rate_limits.count_upload(request, user)
    _check_content_length(request, state.settings)
    lane: Lane = "batch" if batch else "live"
    async with state.queue_capacity.reserve(state.store, lane):
        with _temporary_path(state.settings.uploads_dir) as temporary:
            with open_private_file(temporary, "wb") as target:
                form = await _read_body(request, target, state.settings.upload_max_bytes)
                if is_form:
                    check_csrf(user, form.fields.get("csrf", ""))
                await to_thread.run_sync(_sync_file, target)
            detection_id = upload_queue.create_detection_id()
            record = DetectionRecord(
                detection_id=detection_id,
                owner=user.name,
                file=form.file_name,
                bytes=form.file_bytes,
                batch=batch,
                lane=lane,
                priority=LANE_PRIORITIES[lane],
                created=_time_of_id(detection_id),
            )
            await to_thread.run_sync(_store_upload, state.store, record, temporary, state.settings.uploads_dir)
    state.metrics.count_upload_bytes(record.bytes)
    return record


def _check_content_length(request: Request, settings: Settings) -> None:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 20 or int(length) > settings.upload_max_bytes + _FORM_OVERHEAD_BYTES):
        raise file_too_large(settings.upload_max_bytes)


@contextmanager
def _temporary_path(uploads_dir: Path) -> Iterator[Path]:
    """Yield a path for the incoming file; the file is deleted unless it was moved away."""
    temporary = uploads_dir / INCOMING_NAME / secrets.token_hex(16)
    try:
        open_private_folder(temporary.parent)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


async def _read_body(request: Request, target: BinaryIO, max_bytes: int) -> MultipartForm:
    """Read the body to its end; only one chunk at a time is in memory."""
    form, start, received = MultipartForm(request.headers.get("content-type", ""), target, max_bytes), time.monotonic(), 0
    chunks = request.stream()
    try:
        while True:
            with fail_after(_READ_TIMEOUT_S):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            received += len(chunk)
            _check_speed(received, time.monotonic() - start)
            await to_thread.run_sync(form.feed, chunk)
    except TimeoutError as error:
        raise RequestTimeoutError("body", f"no data arrived for {_READ_TIMEOUT_S:.0f} s", "Send it again.") from error
    except ClientDisconnect as error:
        raise MalformedBodyError("body", "the connection was closed before the end of the body", "Send it again.") from error
    form.close()
    return form


def _check_speed(received: int, seconds: float) -> None:
    """Raise RequestTimeoutError for an upload so slow that it blocks a place in the queue."""
    if seconds > _SPEED_GRACE_S + received / _MIN_BYTES_PER_S:
        reason = f"arrives at less than {_MIN_BYTES_PER_S / 1000:.0f} kB per second"
        raise RequestTimeoutError("body", reason, "Send it over a faster connection.")


def _time_of_id(detection_id: str) -> str:
    return datetime.fromtimestamp(int(detection_id[:16], 16) / 1e9, UTC).isoformat(timespec="milliseconds")


def _sync_file(target: BinaryIO) -> None:
    target.flush()
    os.fsync(target.fileno())


def _store_upload(store: Store, record: DetectionRecord, temporary: Path, uploads_dir: Path) -> None:
    """Move the file to its place first, then write the record, so that a record always has its file."""
    folder = uploads_dir / record.key
    folder.mkdir(mode=0o700)
    try:
        temporary.replace(folder / MEDIA_NAME)
        for changed in (folder, uploads_dir):
            _sync_folder(changed)
        store.insert(record)
    except MetadataError:
        if store.get(DetectionRecord, record.key) is None:  # if the store cannot answer either, `remove_orphans` decides later
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
