"""The pages of a detection: its progress and result, sharing, deleting and labeling; and the read-only page behind a share link."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from realframe.presentation.detection_view import DetectionView
from realframe.store import detection_records
from realframe.store.detection_documents import FRAMES_SPRITE, HEATMAPS_SPRITE, DetectionRecord
from realframe.web import detection_service
from realframe.web.auth import sessions
from realframe.web.auth.sessions import SignedInUser, check_csrf
from realframe.web.rendering import render_page

router = APIRouter(prefix="/detections/{detection_id}")
FormToken = Annotated[str, Form()]


@router.get("")
def show_detection(request: Request, detection_id: str, user: SignedInUser, labeled: str = "") -> Response:
    """Show the result, or the progress if there is none yet."""
    record = detection_records.get_record(request.app.state.store, user, detection_id)
    context: dict[str, Any] = {"record": record, "base": f"/api/v1/detections/{record.key}"}
    view = DetectionView.from_record(record)
    if view is None:
        return render_page(request, "pending", user, **context)
    context |= {"case": detection_service.find_labels(request.app.state.store, record), "can_delete": user.can_delete(record.owner)}
    return render_page(request, "detection", user, view=view, is_labeled=bool(labeled), **context)


@router.get("/share")
def show_share_link(request: Request, detection_id: str, user: SignedInUser) -> Response:
    """Show a link that lets people without an account see the result."""
    record = detection_records.get_record(request.app.state.store, user, detection_id)
    path = request.app.url_path_for("shared", token=request.app.state.share_links.create_token(record.key))
    link = f"{request.app.state.settings.public_url or ''}{path}"  # never with the Host header, which whoever sends the request chooses
    return render_page(request, "share", user, record=record, link=link, expiry_date=sessions.share_link_expiry())


@router.get("/delete")
def confirm_delete(request: Request, detection_id: str, user: SignedInUser) -> Response:
    """Ask for confirmation before deleting."""
    record = detection_records.get_record(request.app.state.store, user, detection_id)
    return render_page(request, "delete", user, record=record)


@router.post("/delete")
def delete_detection(request: Request, detection_id: str, user: SignedInUser, csrf: FormToken = "") -> Response:
    """Delete the record, the file and its pictures."""
    check_csrf(user, csrf)
    detection_service.delete_detection(request.app.state.store, request.app.state.settings, user, detection_id)
    return RedirectResponse("/history", 303)


@router.post("/feedback")
def add_label(
    request: Request,
    detection_id: str,
    user: SignedInUser,
    label: Annotated[Literal["real", "fake"], Form()],
    reason: Annotated[str, Form(max_length=2000)] = "",
    csrf: FormToken = "",
) -> Response:
    """Store the user's label for the file."""
    check_csrf(user, csrf)
    detection_service.add_label(request.app.state.store, request.app.state.settings, user, detection_id, label, reason.strip())
    return RedirectResponse(f"/detections/{detection_id}?labeled=1#feedback", 303)


shared_router = APIRouter(prefix="/shared/{token}")


def _find_shared_record(request: Request, token: str) -> DetectionRecord:
    detection_id = request.app.state.share_links.read_token(token)
    record = request.app.state.store.get(DetectionRecord, detection_id) if detection_id else None
    if record is None:
        raise HTTPException(404, "This link is invalid or expired, or the result was deleted. Ask for a new link.")
    return record


SharedRecord = Annotated[DetectionRecord, Depends(_find_shared_record)]
"""An argument of a route: the record that a share link shows."""


@shared_router.get("", name="shared")
def show_shared(request: Request, token: str, record: SharedRecord) -> Response:
    """Show the result, or that there is none yet."""
    view = DetectionView.from_record(record)
    if view is None:
        return render_page(request, "shared_pending", record=record)
    return render_page(request, "shared", record=record, view=view, base=f"/shared/{token}")


@shared_router.get("/media")
def get_shared_media(request: Request, record: SharedRecord) -> Response:
    """Send the uploaded file."""
    return detection_service.send_media(request.app.state.settings, record)


@shared_router.get(f"/{FRAMES_SPRITE}")
def get_shared_frames(request: Request, record: SharedRecord) -> Response:
    """Send the sprite of the analyzed frames."""
    return detection_service.send_sprite(request.app.state.settings, record, FRAMES_SPRITE)


@shared_router.get(f"/{HEATMAPS_SPRITE}")
def get_shared_heatmaps(request: Request, record: SharedRecord) -> Response:
    """Send the sprite of the heatmaps."""
    return detection_service.send_sprite(request.app.state.settings, record, HEATMAPS_SPRITE)


@shared_router.get("/report.html")
def get_shared_report(request: Request, record: SharedRecord) -> Response:
    """Send the report."""
    return detection_service.send_report(request.app.state.settings, record)
