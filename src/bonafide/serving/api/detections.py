"""Files handed in: take one in, look at it, list them, take it away."""

import time
from typing import Annotated

from anyio import sleep, to_thread
from fastapi import APIRouter, Query, Request, Response

from bonafide.metadata.detections import DetectionRecord
from bonafide.metadata.store import Store
from bonafide.serving import records
from bonafide.serving.access.callers import Caller, Calling
from bonafide.serving.api.arguments import FORM, Batch, Cursor, Known, Text, Time, VerdictName
from bonafide.serving.api.documented import ACCEPTED, errors
from bonafide.serving.api.polling import pauses
from bonafide.serving.api.schemas import PREFIX, Record, Records
from bonafide.serving.intake import uploads
from bonafide.serving.records import Wanted

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
    accepted = await uploads.take_in(request, caller, batch)
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
    wanted = Wanted(verdict or "", model, batch, file, since, until)
    found, following = records.listing(request.app.state.store, caller, wanted, limit, cursor)
    return Records(items=[Record.of(record) for record in found], next=following)


@router.get("/{detection_id}", summary="Look at one", responses=errors(404))
def one(request: Request, caller: Calling, detection_id: Known) -> Record:
    """Return a record, with its answer once it is done."""
    return Record.of(records.find(request.app.state.store, caller, detection_id))


@router.delete("/{detection_id}", summary="Take one away", status_code=204, responses=errors(403, 404))
def taken_away(request: Request, caller: Calling, detection_id: Known) -> None:
    """Remove a record, its file and its pictures, also while it is being scored. Its owner may, and an admin."""
    state = request.app.state
    records.remove(state.store, state.settings, caller, records.find(state.store, caller, detection_id))


async def _waited(request: Request, record: DetectionRecord, seconds: float) -> DetectionRecord:
    """Return the record when it is done, or as it is when the time is over or nobody listens any more."""
    until = time.monotonic() + seconds
    caller = Caller(record.owner, "analyst")
    store: Store = request.app.state.store
    waits = pauses()
    while record.state != "done" and time.monotonic() < until and not await request.is_disconnected():
        await sleep(min(next(waits), max(until - time.monotonic(), 0)))
        record = await to_thread.run_sync(records.find, store, caller, record.key)
    return record
