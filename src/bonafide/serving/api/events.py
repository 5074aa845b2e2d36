"""The progress of a file as it happens: server-sent events (WHATWG HTML, section 9.2)."""

from collections.abc import AsyncIterator
from typing import Annotated

from anyio import sleep, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from bonafide.metadata.detections import DetectionRecord, Progress
from bonafide.serving import records
from bonafide.serving.access.callers import Calling
from bonafide.serving.api.arguments import Known
from bonafide.serving.api.documented import errors
from bonafide.serving.api.polling import pauses
from bonafide.serving.api.schemas import PREFIX, Record

router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])
_EXAMPLE = 'event: decoding\ndata: {"step":"decoding","count":3,"of":20}\n\n'


def _asked(request: Request, caller: Calling, detection_id: Known) -> DetectionRecord:
    """The record, before the stream begins: what is not there is told as everywhere."""
    return records.find(request.app.state.store, caller, detection_id)


@router.get(
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
