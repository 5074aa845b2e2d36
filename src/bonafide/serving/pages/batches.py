"""Files that were handed in together: one table of results, and the same as CSV."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import Response, StreamingResponse

from bonafide.metadata.detections import DetectionRecord
from bonafide.metadata.store import Store
from bonafide.serving import records
from bonafide.serving.access.callers import Caller
from bonafide.serving.access.sessions import Visitor, signed_in
from bonafide.serving.records import Wanted
from bonafide.serving.views import result_rows
from bonafide.serving.views.rendering import page
from bonafide.serving.views.words import VERDICTS

router = APIRouter()
Reader = Annotated[Visitor, Depends(signed_in)]
BatchId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
_ROWS = 100


@router.get("/batches/{batch}")
def show(request: Request, batch: BatchId, visitor: Reader, cursor: str = "") -> Response:
    """Show how many of a batch are done, the counts per verdict, and a page of its files."""
    store, caller = request.app.state.store, Caller.of_visitor(visitor)
    rows, after = records.listing(store, caller, Wanted(batch=batch), _ROWS, cursor)
    total = records.count(store, caller, Wanted(batch=batch))
    if not total:
        raise HTTPException(404, "There is no batch of that name, or nothing of it is left.")
    counts = {verdict: records.count(store, caller, Wanted(batch=batch, verdict=verdict)) for verdict in VERDICTS}
    return page(request, "batch", visitor, batch=batch, rows=rows, total=total, counts=counts, cursor=cursor, after=after)


@router.get("/batches/{batch}/results.csv")
def table(request: Request, batch: BatchId, visitor: Reader) -> Response:
    """Send all results of a batch, the newest first."""
    found = _all(request.app.state.store, Caller.of_visitor(visitor), batch)
    headers = {"Content-Disposition": f'attachment; filename="bonafide-{batch}.csv"'}
    return StreamingResponse(result_rows.csv_lines(found), media_type="text/csv; charset=utf-8", headers=headers)


def _all(store: Store, caller: Caller, batch: str) -> Iterator[DetectionRecord]:
    cursor: str | None = ""
    while cursor is not None:
        rows, cursor = records.listing(store, caller, Wanted(batch=batch), _ROWS, cursor)
        yield from rows
