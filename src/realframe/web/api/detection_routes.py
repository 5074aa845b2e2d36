"""API routes of detections: upload a file, read, list and delete records, follow the progress, label a file, and get its files.

The files are the uploaded file, the sprites of its frames, and the report. Progress is sent as server-sent events (WHATWG HTML, section
9.2).
"""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyio import sleep, to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from realframe.errors import NotFoundError
from realframe.store import detection_records
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, DetectionRecord, Progress
from realframe.store.detection_records import RecordFilter
from realframe.web import detection_service
from realframe.web.api.openapi import UPLOAD_BODY, UPLOAD_HEADERS, BatchId, Cursor, DetectionId, TextLine, Time, VerdictName, error_docs
from realframe.web.api.schemas import PREFIX, DetectionPage, DetectionResource, FileLabel, FileLabels
from realframe.web.auth.authentication import CurrentUser
from realframe.web.uploads.upload import accept_upload

router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])
_MIN_POLL_S, _POLL_GROWTH, _MAX_POLL_S = 0.1, 1.15, 1.0
_EVENT_EXAMPLE = 'event: decoding\ndata: {"step":"decoding","count":3,"total":20}\n\n'
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _find_record(request: Request, user: CurrentUser, detection_id: DetectionId) -> DetectionRecord:
    return detection_records.get_record(request.app.state.store, user, detection_id)


RequestedRecord = Annotated[DetectionRecord, Depends(_find_record)]
"""An argument of a route: the record of the id in the path, if the user may see it."""


@router.post(
    "",
    summary="Upload a file",
    status_code=202,
    response_model=DetectionResource,
    responses={
        200: {"model": DetectionResource, "description": "The file was done within `wait` seconds.", "headers": UPLOAD_HEADERS},
        202: {"description": "The file is accepted, and is scored or refused with a reason later.", "headers": UPLOAD_HEADERS},
        **error_docs(400, 403, 408, 413, 415, 507),
    },
    openapi_extra={"requestBody": UPLOAD_BODY},
)
async def upload_file(
    request: Request,
    response: Response,
    user: CurrentUser,
    wait: Annotated[float, Query(ge=0, le=60, description="seconds to wait for the result")] = 0,
    batch: BatchId = "",
) -> DetectionResource:
    """Upload one image or video.

    An accepted file (202 or 200) is stored: it is scored, or refused with a reason, even if the service restarts.
    """
    record = await accept_upload(request, user, batch)
    if wait:
        record = await _wait_until_done(request, record, wait)
    response.status_code = 200 if record.state == "done" else 202
    response.headers.update({"Location": f"{PREFIX}/detections/{record.key}", **request.state.rate})
    return DetectionResource.from_record(record)


@router.get("", summary="List detections", responses=error_docs(400))
def list_detections(
    request: Request,
    user: CurrentUser,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = "",
    verdict: VerdictName | None = None,
    model: Annotated[TextLine, Query(description="the model version of the result")] = "",
    batch: BatchId = "",
    file: Annotated[TextLine, Query(description="a part of the file name, case-insensitive")] = "",
    since: Annotated[Time | None, Query(description="uploaded at this time or later; UTC if no time zone is given")] = None,
    until: Annotated[Time | None, Query(description="uploaded before this time")] = None,
) -> DetectionPage:
    """List records, newest first: an analyst's own, or those of all users for a reviewer or an admin."""
    record_filter = RecordFilter(verdict or "", model, batch, file, since, until)
    records, next_cursor = detection_records.list_records(request.app.state.store, user, record_filter, limit, cursor)
    return DetectionPage(items=[DetectionResource.from_record(record) for record in records], next_cursor=next_cursor)


@router.get("/{detection_id}", summary="Get a detection", responses=error_docs(404))
def get_detection(record: RequestedRecord) -> DetectionResource:
    """Return a record, with its result once it is done."""
    return DetectionResource.from_record(record)


@router.delete("/{detection_id}", summary="Delete a detection", status_code=204, responses=error_docs(403, 404))
def delete_detection(request: Request, user: CurrentUser, detection_id: DetectionId) -> None:
    """Delete a record, its file and its pictures, even while it is being scored. Only its owner and admins may."""
    detection_service.delete_detection(request.app.state.store, request.app.state.settings, user, detection_id)


@router.get(
    "/{detection_id}/events",
    summary="Follow the progress",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Events until the file is done.", "content": {"text/event-stream": {"example": _EVENT_EXAMPLE}}},
        **error_docs(404),
    },
)
async def stream_events(request: Request, record: RequestedRecord) -> AsyncIterator[ServerSentEvent]:
    """Send an event for each change of the progress, named by its step.

    The last event is `done` with the record, or `deleted` if the record was deleted meanwhile. A new connection starts with the current
    progress.
    """
    sent: Progress | None = None
    current: DetectionRecord | None = record
    intervals = poll_intervals()
    while current is not None and current.state != "done":
        if current.progress != sent:
            sent, intervals = current.progress, poll_intervals()
            yield ServerSentEvent(event=sent.step, data=sent)
        await sleep(next(intervals))
        current = await to_thread.run_sync(request.app.state.store.get, DetectionRecord, record.key)
    if current is None:
        yield ServerSentEvent(event="deleted", data={"detection_id": record.key})
    else:
        yield ServerSentEvent(event="done", data=DetectionResource.from_record(current))


@router.post("/{detection_id}/feedback", summary="Label a file", responses=error_docs(400, 403, 404, 409, 413))
def add_label(request: Request, user: CurrentUser, detection_id: DetectionId, label: FileLabel) -> FileLabels:
    """Store the user's label and a copy of the file; a second label of the same user replaces the first.

    If two people agree and nobody disagrees, the next dataset includes the file.
    """
    state = request.app.state
    case = detection_service.add_label(state.store, state.settings, user, detection_id, label.label, label.reason)
    return FileLabels.from_case(case)


def poll_intervals() -> Iterator[float]:
    """Yield the seconds between two looks at the store: short at first, then growing to one second, so that many clients can wait."""
    interval = _MIN_POLL_S
    while True:
        yield interval
        interval = min(interval * _POLL_GROWTH, _MAX_POLL_S)


async def _wait_until_done(request: Request, record: DetectionRecord, seconds: float) -> DetectionRecord:
    """Return the record once it is done, or its current state after the time or if the client disconnects. Raises NotFoundError."""
    deadline = time.monotonic() + seconds
    intervals = poll_intervals()
    while record.state != "done" and time.monotonic() < deadline and not await request.is_disconnected():
        await sleep(min(next(intervals), max(deadline - time.monotonic(), 0)))
        current = await to_thread.run_sync(request.app.state.store.get, DetectionRecord, record.key)
        if current is None:
            raise NotFoundError(f"detection {record.key}", "was deleted", "Upload the file again.")
        record = current
    return record


def _file_docs(media_type: str) -> dict[int | str, dict[str, object]]:
    content = {media_type: _BINARY}
    return {200: {"description": "The file.", "content": content}, 206: {"description": "The requested range.", "content": content}}


@router.get(
    "/{detection_id}/media",
    summary="Get the uploaded file",
    response_class=Response,
    responses=_file_docs("*/*") | error_docs(400, 404, 416),
)
def get_media(request: Request, record: RequestedRecord) -> Response:
    """Return the uploaded file if it is an image or a video. Range requests are supported."""
    return detection_service.send_media(request.app.state.settings, record)


@router.get(
    f"/{{detection_id}}/{FRAMES_SPRITE}",
    summary="Get the analyzed frames",
    response_class=Response,
    responses=_file_docs("image/jpeg") | error_docs(400, 404, 416),
)
def get_frames(request: Request, record: RequestedRecord) -> Response:
    """Return the analyzed frames as one picture (a sprite); `result.tiles` describes its layout."""
    return detection_service.send_sprite(request.app.state.settings, record, FRAMES_SPRITE)


@router.get(
    f"/{{detection_id}}/{HEATMAPS_SPRITE}",
    summary="Get the heatmaps",
    response_class=Response,
    responses=_file_docs("image/jpeg") | error_docs(400, 404, 416),
)
def get_heatmaps(request: Request, record: RequestedRecord) -> Response:
    """Return the same frames with a heatmap (Grad-CAM) of the regions that raised the score."""
    return detection_service.send_sprite(request.app.state.settings, record, HEATMAPS_SPRITE)


@router.get(
    "/{detection_id}/report.html",
    summary="Get the report",
    response_class=Response,
    responses={200: {"description": "One HTML file.", "content": {"text/html": {"schema": {"type": "string"}}}}, **error_docs(404)},
)
def get_report(request: Request, record: RequestedRecord) -> Response:
    """Return the result as one HTML file that needs no server."""
    return detection_service.send_report(request.app.state.settings, record)
