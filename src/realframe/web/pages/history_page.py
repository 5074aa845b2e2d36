"""History: what was handed in, with search and filters."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from realframe.store import detection_records
from realframe.store.detection_records import RecordFilter
from realframe.store.documents import Model
from realframe.web.auth.authentication import Caller
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page

router = APIRouter()
_ROWS = 25


@router.get("/history")
def history(
    request: Request,
    visitor: Annotated[User, Depends(signed_in)],
    file: str = "",
    verdict: str = "",
    model: str = "",
    since: str = "",
    until: str = "",
    cursor: str = "",
) -> Response:
    """Show the visitor's own files, the newest first; reviewers and admins see everybody's."""
    store, caller = request.app.state.store, Caller.of_visitor(visitor)
    last = _day(until)
    wanted = RecordFilter(
        verdict=verdict, model=model, file=file.strip(), since=_day(since), until=last + timedelta(days=1) if last else None
    )
    rows, after = detection_records.listing(store, caller, wanted, _ROWS, cursor)
    chosen = {"file": file, "verdict": verdict, "model": model, "since": since, "until": until}
    asked = {name: value for name, value in chosen.items() if value}
    return page(
        request,
        "history",
        visitor,
        rows=rows,
        chosen=chosen,
        models=sorted((entry.version for entry in store.find(Model)), reverse=True),
        everybody=caller.sees_all,
        newest=f"/history?{urlencode(asked)}" if cursor else "",
        older=f"/history?{urlencode({**asked, 'cursor': after})}" if after else "",
    )


def _day(text: str) -> datetime | None:
    """Return the beginning of a day in UTC; None where it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
