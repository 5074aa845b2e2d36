"""One file that was handed in: how far it has come, then the answer with its reasons; sharing it, deleting it, and saying what it is."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from bonafide.serving import records
from bonafide.serving.access import sharing
from bonafide.serving.access.callers import Caller
from bonafide.serving.access.sessions import Visitor, signed_in
from bonafide.serving.api import feedback
from bonafide.serving.api.schemas import Opinion
from bonafide.serving.views.rendering import page
from bonafide.serving.views.shown import Shown

router = APIRouter(prefix="/detections/{detection_id}")
Reader = Annotated[Visitor, Depends(signed_in)]
FormToken = Annotated[str, Form()]


@router.get("")
def show(request: Request, detection_id: str, visitor: Reader, said: str = "") -> Response:
    """Show the answer, or how far it is."""
    caller = Caller.of_visitor(visitor)
    record = records.find(request.app.state.store, caller, detection_id)
    facts: dict[str, Any] = {"record": record, "base": f"/api/v1/detections/{record.key}"}
    shown = Shown.of(record)
    if shown is None:
        return page(request, "waiting", visitor, **facts)
    return page(request, "detection", visitor, shown=shown, said=bool(said), removable=caller.may_remove(record.owner), **facts)


@router.get("/share")
def share(request: Request, detection_id: str, visitor: Reader) -> Response:
    """Show a link that lets others see the answer."""
    record = records.find(request.app.state.store, Caller.of_visitor(visitor), detection_id)
    link = request.url_for("shared", token=request.app.state.sharing.token(record.key))
    return page(request, "share", visitor, record=record, link=str(link), ends=sharing.ends())


@router.get("/delete")
def ask_delete(request: Request, detection_id: str, visitor: Reader) -> Response:
    """Ask whether to delete it."""
    record = records.find(request.app.state.store, Caller.of_visitor(visitor), detection_id)
    return page(request, "delete", visitor, record=record)


@router.post("/delete")
def delete(request: Request, detection_id: str, visitor: Reader, csrf: FormToken = "") -> Response:
    """Delete the record, the file and its pictures."""
    visitor.check_form(csrf)
    store, caller = request.app.state.store, Caller.of_visitor(visitor)
    records.remove(store, request.app.state.settings, caller, records.find(store, caller, detection_id))
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
    feedback.said(request, Caller.of_visitor(visitor), detection_id, Opinion(label=label, why=why.strip()))
    return RedirectResponse(f"/detections/{detection_id}?said=1#feedback", 303)
