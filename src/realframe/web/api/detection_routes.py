"""How often the store is asked for what a worker has done meanwhile: at first at once, then ever less, so that many may wait.

Files handed in: take one in, look at it, list them, take it away.

The progress of a file as it happens: server-sent events (WHATWG HTML, section 9.2).

What somebody says that a file is, where the detector was wrong.
"""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyio import sleep, to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent

from realframe.errors import GoneError
from realframe.feedback.feedback_labels import add_vote
from realframe.store import detection_records
from realframe.store.detection_documents import DetectionRecord, Progress
from realframe.store.detection_records import RecordFilter
from realframe.store.repository import Store
from realframe.web.api.openapi import ACCEPTED, FORM, Batch, Cursor, Known, Text, Time, VerdictName, errors
from realframe.web.api.schemas import PREFIX, Opinion, Record, Records, Said
from realframe.web.auth.authentication import Caller, Calling
from realframe.web.uploads import upload
from realframe.web.uploads.upload import MEDIA

_FIRST_S, _GROWTH, _LONGEST_S = 0.1, 1.15, 1.0


def pauses() -> Iterator[float]:
    """Yield the seconds until the next time, without end: a tenth of what has passed, about, and at most one."""
    pause = _FIRST_S
    while True:
        yield pause
        pause = min(pause * _GROWTH, _LONGEST_S)


router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])


@router.post(
    "",
    summary="Hand in a file",
    status_code=202,
    response_model=Record,
    responses={
        200: {"model": Record, "description": "It was done within `wait` seconds.", "headers": ACCEPTED},
        202: {"description": "It is accepted, and will be scored or told why not.", "headers": ACCEPTED},
        **errors(400, 403, 408, 413, 415, 507),
    },
    openapi_extra={"requestBody": FORM},
)
async def hand_in(
    request: Request,
    response: Response,
    caller: Calling,
    wait: Annotated[float, Query(ge=0, le=60, description="seconds to wait for the answer")] = 0,
    batch: Batch = "",
) -> Record:
    """Take in one image or video.

    What is answered with 202 (or 200) is kept: it is scored, or told why it can't be, whatever happens to the service meanwhile.
    """
    accepted = await upload.take_in(request, caller, batch)
    record = await _waited(request, accepted, wait) if wait else accepted
    response.status_code = 200 if record.state == "done" else 202
    response.headers.update({"Location": f"{PREFIX}/detections/{record.key}", **request.state.rate})
    return Record.of(record)


@router.get("", summary="List what was handed in", responses=errors(400))
def listed(
    request: Request,
    caller: Calling,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = "",
    verdict: VerdictName | None = None,
    model: Annotated[Text, Query(description="the version that answered")] = "",
    batch: Batch = "",
    file: Annotated[Text, Query(description="a part of the file's name, in any case")] = "",
    since: Annotated[Time | None, Query(description="handed in then or later; UTC where no zone is given")] = None,
    until: Annotated[Time | None, Query(description="handed in before")] = None,
) -> Records:
    """List records, the newest first: an analyst's own, or all for a reviewer or an admin."""
    wanted = RecordFilter(verdict or "", model, batch, file, since, until)
    found, following = detection_records.listing(request.app.state.store, caller, wanted, limit, cursor)
    return Records(items=[Record.of(record) for record in found], next=following)


@router.get("/{detection_id}", summary="Look at one", responses=errors(404))
def one(request: Request, caller: Calling, detection_id: Known) -> Record:
    """Return a record, with its answer once it is done."""
    return Record.of(detection_records.find(request.app.state.store, caller, detection_id))


@router.delete("/{detection_id}", summary="Take one away", status_code=204, responses=errors(403, 404))
def taken_away(request: Request, caller: Calling, detection_id: Known) -> None:
    """Remove a record, its file and its pictures, also while it is being scored. Its owner may, and an admin."""
    state = request.app.state
    detection_records.remove(state.store, state.settings, caller, detection_records.find(state.store, caller, detection_id))


async def _waited(request: Request, record: DetectionRecord, seconds: float) -> DetectionRecord:
    """Return the record when it is done, or as it is when the time is over or nobody listens any more."""
    until = time.monotonic() + seconds
    caller = Caller(record.owner, "analyst")
    store: Store = request.app.state.store
    waits = pauses()
    while record.state != "done" and time.monotonic() < until and not await request.is_disconnected():
        await sleep(min(next(waits), max(until - time.monotonic(), 0)))
        record = await to_thread.run_sync(detection_records.find, store, caller, record.key)
    return record


events_router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])
_EXAMPLE = 'event: decoding\ndata: {"step":"decoding","count":3,"of":20}\n\n'


def _asked(request: Request, caller: Calling, detection_id: Known) -> DetectionRecord:
    """The record, before the stream begins: what is not there is told as everywhere."""
    return detection_records.find(request.app.state.store, caller, detection_id)


@events_router.get(
    "/{detection_id}/events",
    summary="Follow one",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Events until it is done.", "content": {"text/event-stream": {"example": _EXAMPLE}}},
        **errors(404),
    },
)
async def events(request: Request, record: Annotated[DetectionRecord, Depends(_asked)]) -> AsyncIterator[ServerSentEvent]:
    """Tell each change of a file's progress once, under the name of its step.

    The last event is `done` with the record, or `gone` where somebody took it away meanwhile. Who connects again begins where it stands.
    """
    told: Progress | None = None
    now: DetectionRecord | None = record
    waits = pauses()
    while now is not None and now.state != "done":
        if now.progress != told:
            told, waits = now.progress, pauses()
            yield ServerSentEvent(event=told.step, data=told)
        await sleep(next(waits))
        now = await to_thread.run_sync(request.app.state.store.get, DetectionRecord, record.key)
    if now is None:
        yield ServerSentEvent(event="gone", data={"detection_id": record.key})
    else:
        yield ServerSentEvent(event="done", data=Record.of(now))


feedback_router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])


@feedback_router.post("/{detection_id}/feedback", summary="Say what one is", responses=errors(400, 403, 404, 409, 413))
def said(request: Request, caller: Calling, detection_id: Known, opinion: Opinion) -> Said:
    """Keep an opinion under the caller's name, and the file with it; saying it again replaces it.

    Where two people agree and nobody says otherwise, the next dataset takes the file in.
    """
    state = request.app.state
    record = detection_records.find(state.store, caller, detection_id)
    file = state.settings.uploads_dir / record.key / MEDIA
    if not record.media or not file.exists():
        raise GoneError(record.file, "is not kept any more, so nothing can be learnt from it", "Hand it in again.")
    case = add_vote(state.store, state.settings.feedback_dir, file, opinion.label, opinion.why, caller.name, record.file)
    return Said(media_id=case.media_id, state=case.state, said=[Opinion(label=one.label, why=one.why) for one in case.said])
