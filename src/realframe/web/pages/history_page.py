"""The history page: uploaded files, with a search form."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from realframe.store import detection_records
from realframe.store.detection_records import RecordFilter
from realframe.store.index_documents import Model
from realframe.web.auth.sessions import SignedInUser
from realframe.web.rendering import render_page

router = APIRouter()
_ROWS_PER_PAGE = 25


@router.get("/history")
def show_history(
    request: Request,
    user: SignedInUser,
    file: str = "",
    verdict: str = "",
    model: str = "",
    since: str = "",
    until: str = "",
    cursor: str = "",
) -> Response:
    """Show the user's own files, newest first; reviewers and admins see those of all users."""
    store = request.app.state.store
    record_filter = RecordFilter(
        verdict=verdict,
        model=model,
        file=file.strip(),
        since=_parse_day(since),
        until=_end_of_day(_parse_day(until)),
    )
    records, next_cursor = detection_records.list_records(store, user, record_filter, _ROWS_PER_PAGE, cursor)
    filters = {"file": file, "verdict": verdict, "model": model, "since": since, "until": until}
    query = {name: value for name, value in filters.items() if value}
    return render_page(
        request,
        "history",
        user,
        records=records,
        filters=filters,
        models=sorted((entry.version for entry in store.find(Model)), reverse=True),
        all_users=user.can_see_all,
        newest_url=f"/history?{urlencode(query)}" if cursor else "",
        older_url=f"/history?{urlencode({**query, 'cursor': next_cursor})}" if next_cursor else "",
    )


def _parse_day(text: str) -> datetime | None:
    """Return the start of a day in UTC; None if the text is not a date."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None


def _end_of_day(day: datetime | None) -> datetime | None:
    """Return the start of the next day; None, which is no limit, if there is no day or if it is the last one that ``datetime`` has."""
    try:
        return day + timedelta(days=1) if day else None
    except OverflowError:
        return None
