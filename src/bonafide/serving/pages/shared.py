"""An answer that somebody shared: to look at, without an account."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from bonafide.metadata.detections import DetectionRecord
from bonafide.serving.access.callers import Caller
from bonafide.serving.api import files
from bonafide.serving.views.rendering import page
from bonafide.serving.views.shown import Shown

router = APIRouter(prefix="/shared/{token}")


def opened(request: Request, token: str) -> DetectionRecord:
    """Return what a link shares, as FastAPI's dependency."""
    detection_id = request.app.state.sharing.opened(token)
    record = request.app.state.store.get(DetectionRecord, detection_id) if detection_id else None
    if record is None:
        raise HTTPException(404, "This link has ended, or what it showed was deleted. Ask for a new one.")
    return record


Opened = Annotated[DetectionRecord, Depends(opened)]


@router.get("", name="shared")
def show(request: Request, token: str, record: Opened) -> Response:
    """Show the answer, or that it is not done yet."""
    shown = Shown.of(record)
    if shown is None:
        return page(request, "shared_waiting", record=record)
    return page(request, "shared", record=record, shown=shown, base=f"/shared/{token}")


@router.get("/media")
def media(request: Request, record: Opened) -> Response:
    """Send the file."""
    return files.media(request, _on_behalf(record), record.key)


@router.get("/frames.jpg")
def frames(request: Request, record: Opened) -> Response:
    """Send the pictures of its frames."""
    return files.frames(request, _on_behalf(record), record.key)


@router.get("/heat.jpg")
def heat(request: Request, record: Opened) -> Response:
    """Send the same with what spoke for AI-generated."""
    return files.heat(request, _on_behalf(record), record.key)


@router.get("/report.html")
def report(request: Request, record: Opened) -> Response:
    """Send the report."""
    return files.report(request, _on_behalf(record), record.key)


def _on_behalf(record: DetectionRecord) -> Caller:
    """Whoever has the link sees what its owner sees of this one detection."""
    return Caller(record.owner, "analyst")
