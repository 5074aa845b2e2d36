"""Check: files are handed in here, and what came of the last ones.

Files that were handed in together: one table of results, and the same as CSV.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from realframe.errors import RequestError, RetryLaterError
from realframe.presentation import result_rows
from realframe.presentation.formatting import VERDICTS
from realframe.registry.model_registry import CHAMPION
from realframe.store import detection_records, worker_status
from realframe.store.detection_documents import DetectionRecord
from realframe.store.detection_records import RecordFilter
from realframe.store.repository import Store
from realframe.web import error_responses
from realframe.web.auth.authentication import Caller
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page
from realframe.web.uploads.upload import take_in

router = APIRouter()
Reader = Annotated[User, Depends(signed_in)]
_RECENT = 6


@router.get("/")
def check(request: Request, visitor: Reader) -> Response:
    """Show where to drop files; where no version was approved yet, what to do about that."""
    return page(request, "check", visitor, said="", **_facts(request, visitor))


@router.post("/check")
async def send(request: Request, visitor: Reader) -> Response:
    """Take in the file of a browser without scripts, and go to its page."""
    try:
        record = await take_in(request, Caller.of_visitor(visitor), form=True)
    except RequestError as error:
        facts = await to_thread.run_sync(_facts, request, visitor)
        refused = page(request, "check", visitor, error_responses.status_of(error), said=str(error), **facts)
        if isinstance(error, RetryLaterError):
            refused.headers["Retry-After"] = str(error.wait_s)
        return refused
    return RedirectResponse(f"/detections/{record.detection_id}", 303)


def _facts(request: Request, visitor: User) -> dict[str, Any]:
    state = request.app.state
    recent, _ = detection_records.listing(state.store, Caller.of_visitor(visitor), RecordFilter(), _RECENT)
    return {
        "approved": any(CHAMPION in version.aliases for version in state.versions.all()),
        "scoring": any(worker.model for worker in worker_status.alive(state.store)),
        "recent": recent,
        "settings": state.settings,
    }


batch_router = APIRouter()
BatchReader = Annotated[User, Depends(signed_in)]
BatchId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
_ROWS = 100


@batch_router.get("/batches/{batch}")
def show_batch(request: Request, batch: BatchId, visitor: BatchReader, cursor: str = "") -> Response:
    """Show how many of a batch are done, the counts per verdict, and a page of its files."""
    store, caller = request.app.state.store, Caller.of_visitor(visitor)
    rows, after = detection_records.listing(store, caller, RecordFilter(batch=batch), _ROWS, cursor)
    total = detection_records.count(store, caller, RecordFilter(batch=batch))
    if not total:
        raise HTTPException(404, "There is no batch of that name, or nothing of it is left.")
    counts = {verdict: detection_records.count(store, caller, RecordFilter(batch=batch, verdict=verdict)) for verdict in VERDICTS}
    return page(request, "batch", visitor, batch=batch, rows=rows, total=total, counts=counts, cursor=cursor, after=after)


@batch_router.get("/batches/{batch}/results.csv")
def table(request: Request, batch: BatchId, visitor: BatchReader) -> Response:
    """Send all results of a batch, the newest first."""
    found = _all(request.app.state.store, Caller.of_visitor(visitor), batch)
    headers = {"Content-Disposition": f'attachment; filename="realframe-{batch}.csv"'}
    return StreamingResponse(result_rows.csv_lines(found), media_type="text/csv; charset=utf-8", headers=headers)


def _all(store: Store, caller: Caller, batch: str) -> Iterator[DetectionRecord]:
    cursor: str | None = ""
    while cursor is not None:
        rows, cursor = detection_records.listing(store, caller, RecordFilter(batch=batch), _ROWS, cursor)
        yield from rows
