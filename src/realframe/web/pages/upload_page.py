"""The page Check, where files are uploaded, and the page of a batch: its results as a table and as CSV."""

from collections.abc import Iterator
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, HTTPException, Path, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from realframe.errors import RequestError
from realframe.presentation import result_rows
from realframe.presentation.wording import VERDICT_NAMES
from realframe.registry.model_registry import CHAMPION
from realframe.store import detection_records, worker_status
from realframe.store.accounts import User
from realframe.store.detection_documents import DetectionRecord
from realframe.store.detection_records import RecordFilter
from realframe.store.repository import Store
from realframe.web import error_responses
from realframe.web.auth.sessions import SignedInUser
from realframe.web.rendering import render_page
from realframe.web.request_errors import RetryLaterError
from realframe.web.uploads.upload import accept_upload

router = APIRouter()
BatchPath = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
_RECENT_RECORDS = 6
_ROWS_PER_PAGE = 100


@router.get("/")
def show_upload_form(request: Request, user: SignedInUser) -> Response:
    """Show the upload form; without an approved version, show how to get one."""
    return render_page(request, "upload", user, error="", **_upload_context(request, user))


@router.post("/check")
async def upload_file(request: Request, user: SignedInUser) -> Response:
    """Accept the file of a browser without JavaScript, and redirect to its page."""
    try:
        record = await accept_upload(request, user, is_form=True)
    except RequestError as error:
        context = await to_thread.run_sync(_upload_context, request, user)
        response = render_page(request, "upload", user, error_responses.get_status(error), error=str(error), **context)
        if isinstance(error, RetryLaterError):
            response.headers["Retry-After"] = str(error.wait_s)
        return response
    return RedirectResponse(f"/detections/{record.detection_id}", 303)


def _upload_context(request: Request, user: User) -> dict[str, Any]:
    state = request.app.state
    recent, _ = detection_records.list_records(state.store, user, RecordFilter(), _RECENT_RECORDS)
    return {
        "has_champion": any(CHAMPION in version.aliases for version in state.monitor.list_versions()),
        "has_worker": any(worker.model for worker in worker_status.list_alive(state.store)),
        "recent": recent,
        "settings": state.settings,
    }


@router.get("/batches/{batch}")
def show_batch(request: Request, batch: BatchPath, user: SignedInUser, cursor: str = "") -> Response:
    """Show how many files of a batch are done, the counts per verdict, and a page of its files."""
    store = request.app.state.store
    records, next_cursor = detection_records.list_records(store, user, RecordFilter(batch=batch), _ROWS_PER_PAGE, cursor)
    total = detection_records.count_records(store, user, RecordFilter(batch=batch))
    if not total:
        raise HTTPException(404, "This batch does not exist, or all of its files were deleted.")
    counts = {
        verdict: detection_records.count_records(store, user, RecordFilter(batch=batch, verdict=verdict)) for verdict in VERDICT_NAMES
    }
    return render_page(
        request, "batch", user, batch=batch, records=records, total=total, counts=counts, cursor=cursor, next_cursor=next_cursor
    )


@router.get("/batches/{batch}/results.csv")
def download_batch(request: Request, batch: BatchPath, user: SignedInUser) -> Response:
    """Send all results of a batch as CSV, newest first."""
    records = _iterate_batch(request.app.state.store, user, batch)
    headers = {"Content-Disposition": f'attachment; filename="realframe-{batch}.csv"'}
    return StreamingResponse(result_rows.iter_csv_lines(records), media_type="text/csv; charset=utf-8", headers=headers)


def _iterate_batch(store: Store, user: User, batch: str) -> Iterator[DetectionRecord]:
    cursor: str | None = ""
    while cursor is not None:
        records, cursor = detection_records.list_records(store, user, RecordFilter(batch=batch), _ROWS_PER_PAGE, cursor)
        yield from records
