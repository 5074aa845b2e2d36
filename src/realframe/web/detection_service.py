"""Label and delete detections, and send their files: what the API and the pages have in common.

The functions take plain arguments: the store, the settings, and a user or a record. Functions that take a record check no permissions: the
caller has found the record with ``detection_records.get_record``, or with the token of a share link. Uploads are in ``web/uploads``.
Files come from strangers and are sent in a sandbox.
"""

from pathlib import Path

from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from realframe.errors import NotFoundError
from realframe.feedback.feedback_labels import LabelCase, add_vote, find_case
from realframe.media.signature import MEDIA_TYPES
from realframe.reports.detection_report import render_detection_report
from realframe.settings import Settings
from realframe.store import detection_records
from realframe.store.accounts import User
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, DetectionRecord
from realframe.store.document_base import Label
from realframe.store.repository import Store
from realframe.store.upload_queue import MEDIA_NAME
from realframe.web.request_errors import GoneError

_HEADERS = {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "Cache-Control": "private, max-age=300"}


def add_label(store: Store, settings: Settings, user: User, detection_id: str, label: Label, reason: str) -> LabelCase:
    """Store a user's label for a file, and a copy of the file; return all labels of the file. An earlier label is replaced.

    Raises NotFoundError, GoneError, NotMediaError, NotScoredError, TakenDownError.
    """
    record = detection_records.get_record(store, user, detection_id)
    file = settings.uploads_dir / record.key / MEDIA_NAME
    if not record.has_files or not file.exists():
        raise GoneError(record.file, "was deleted, so it cannot be labeled", "Upload it again.")
    return add_vote(store, settings.feedback_dir, file, label, reason, user.name, record.file, record.verdict)


def find_labels(store: Store, record: DetectionRecord) -> LabelCase | None:
    """Return people's labels of a record's file; None where there are none yet."""
    return find_case(store, record.result.sha256) if record.result and record.result.sha256 else None


def delete_detection(store: Store, settings: Settings, user: User, detection_id: str) -> None:
    """Delete a record with its file and pictures, even while it is being scored. Raises NotFoundError, ForbiddenError."""
    detection_records.delete_record(store, settings, user, detection_records.get_record(store, user, detection_id))


def send_media(settings: Settings, record: DetectionRecord) -> Response:
    """Send the uploaded file. Raises NotFoundError."""
    if record.result is None or record.result.facts is None:
        raise _file_not_found(record, "is not known to be an image or a video")
    media_type = MEDIA_TYPES.get(record.result.facts.container, "application/octet-stream")
    file = _find_file(settings, record, MEDIA_NAME)
    return _RangeResponse(file, media_type=media_type, filename=record.file, content_disposition_type="inline", headers=_HEADERS)


def send_sprite(settings: Settings, record: DetectionRecord, name: str) -> Response:
    """Send a sprite, ``FRAMES_SPRITE`` or ``HEATMAPS_SPRITE``. Raises NotFoundError."""
    return _RangeResponse(_find_file(settings, record, name), media_type="image/jpeg", headers=_HEADERS)


def send_report(settings: Settings, record: DetectionRecord) -> Response:
    """Send the result as a download of one HTML file that needs no server. Raises NotFoundError."""
    if record.result is None:
        raise _file_not_found(record, "has no result yet")
    folder = settings.uploads_dir / record.key
    frames, heatmaps = (file.read_bytes() if file.exists() else None for file in (folder / FRAMES_SPRITE, folder / HEATMAPS_SPRITE))
    text = render_detection_report([(record.result, frames, heatmaps)])
    disposition = f'attachment; filename="realframe-{record.key}.html"'
    return Response(text, media_type="text/html", headers={**_HEADERS, "Content-Disposition": disposition})


def _find_file(settings: Settings, record: DetectionRecord, name: str) -> Path:
    file = settings.uploads_dir / record.key / name
    if not file.exists():
        raise _file_not_found(record, f"has no {name}")
    return file


def _file_not_found(record: DetectionRecord, reason: str) -> NotFoundError:
    return NotFoundError(record.file, reason, "The record lists the available files under `links`.")


class _RangeResponse(FileResponse):
    """A file that supports range requests (RFC 9110, section 14); an invalid range is answered like any other error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_raise(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                headers = {name.decode(): value.decode() for name, value in message["headers"] if name == b"content-range"}
                raise HTTPException(message["status"], "The file does not have this range.", headers)
            await send(message)

        await super().__call__(scope, receive, send_or_raise)
