"""One file that was handed in: how far it has come, then the answer with its reasons; sharing it, deleting it, and saying what it is.

An answer that somebody shared: to look at, without an account.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from realframe.presentation.detection_view import DetectionView
from realframe.store import detection_records
from realframe.store.detection_documents import DetectionRecord
from realframe.web.api import detection_routes, file_routes
from realframe.web.api.schemas import Opinion
from realframe.web.auth import sessions
from realframe.web.auth.authentication import Caller
from realframe.web.auth.sessions import User, signed_in
from realframe.web.rendering import page

router = APIRouter(prefix="/detections/{detection_id}")
Reader = Annotated[User, Depends(signed_in)]
FormToken = Annotated[str, Form()]


@router.get("")
def show(request: Request, detection_id: str, visitor: Reader, said: str = "") -> Response:
    """Show the answer, or how far it is."""
    caller = Caller.of_visitor(visitor)
    record = detection_records.find(request.app.state.store, caller, detection_id)
    facts: dict[str, Any] = {"record": record, "base": f"/api/v1/detections/{record.key}"}
    shown = DetectionView.of(record)
    if shown is None:
        return page(request, "waiting", visitor, **facts)
    return page(request, "detection", visitor, shown=shown, said=bool(said), removable=caller.may_remove(record.owner), **facts)


@router.get("/share")
def share(request: Request, detection_id: str, visitor: Reader) -> Response:
    """Show a link that lets others see the answer."""
    record = detection_records.find(request.app.state.store, Caller.of_visitor(visitor), detection_id)
    link = request.url_for("shared", token=request.app.state.sharing.token(record.key))
    return page(request, "share", visitor, record=record, link=str(link), ends=sessions.ends())


@router.get("/delete")
def ask_delete(request: Request, detection_id: str, visitor: Reader) -> Response:
    """Ask whether to delete it."""
    record = detection_records.find(request.app.state.store, Caller.of_visitor(visitor), detection_id)
    return page(request, "delete", visitor, record=record)


@router.post("/delete")
def delete(request: Request, detection_id: str, visitor: Reader, csrf: FormToken = "") -> Response:
    """Delete the record, the file and its pictures."""
    visitor.check_form(csrf)
    store, caller = request.app.state.store, Caller.of_visitor(visitor)
    detection_records.remove(store, request.app.state.settings, caller, detection_records.find(store, caller, detection_id))
    return RedirectResponse("/history", 303)


@router.post("/feedback")
def say(
    request: Request,
    detection_id: str,
    visitor: Reader,
    label: Annotated[Literal["real", "fake"], Form()],
    why: Annotated[str, Form(max_length=2000)] = "",
    csrf: FormToken = "",
) -> Response:
    """Keep what the visitor says that the file is."""
    visitor.check_form(csrf)
    detection_routes.said(request, Caller.of_visitor(visitor), detection_id, Opinion(label=label, why=why.strip()))
    return RedirectResponse(f"/detections/{detection_id}?said=1#feedback", 303)


shared_router = APIRouter(prefix="/shared/{token}")


def opened(request: Request, token: str) -> DetectionRecord:
    """Return what a link shares, as FastAPI's dependency."""
    detection_id = request.app.state.sharing.opened(token)
    record = request.app.state.store.get(DetectionRecord, detection_id) if detection_id else None
    if record is None:
        raise HTTPException(404, "This link has ended, or what it showed was deleted. Ask for a new one.")
    return record


Opened = Annotated[DetectionRecord, Depends(opened)]


@shared_router.get("", name="shared")
def show_shared(request: Request, token: str, record: Opened) -> Response:
    """Show the answer, or that it is not done yet."""
    shown = DetectionView.of(record)
    if shown is None:
        return page(request, "shared_waiting", record=record)
    return page(request, "shared", record=record, shown=shown, base=f"/shared/{token}")


@shared_router.get("/media")
def media(request: Request, record: Opened) -> Response:
    """Send the file."""
    return file_routes.media(request, _on_behalf(record), record.key)


@shared_router.get("/frames.jpg")
def frames(request: Request, record: Opened) -> Response:
    """Send the pictures of its frames."""
    return file_routes.frames(request, _on_behalf(record), record.key)


@shared_router.get("/heat.jpg")
def heat(request: Request, record: Opened) -> Response:
    """Send the same with what spoke for AI-generated."""
    return file_routes.heat(request, _on_behalf(record), record.key)


@shared_router.get("/report.html")
def report(request: Request, record: Opened) -> Response:
    """Send the report."""
    return file_routes.report(request, _on_behalf(record), record.key)


def _on_behalf(record: DetectionRecord) -> Caller:
    """Whoever has the link sees what its owner sees of this one detection."""
    return Caller(record.owner, "analyst")
