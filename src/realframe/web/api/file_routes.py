"""API routes of a detection's files: the uploaded file, the sprites of its frames, and the report."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from realframe.web import detection_service
from realframe.web.api.detection_routes import RequestedRecord
from realframe.web.api.openapi import error_docs
from realframe.web.api.schemas import PREFIX
from realframe.web.detection_service import FRAMES_NAME, HEATMAPS_NAME

router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _file_docs(media_type: str) -> dict[int | str, dict[str, object]]:
    content = {media_type: _BINARY}
    return {200: {"description": "The file.", "content": content}, 206: {"description": "The requested range.", "content": content}}


@router.get(
    "/{detection_id}/media",
    summary="Get the uploaded file",
    response_class=Response,
    responses=_file_docs("*/*") | error_docs(400, 404, 416),
)
def get_media(request: Request, record: RequestedRecord) -> Response:
    """Return the uploaded file if it is an image or a video. Range requests are supported."""
    return detection_service.send_media(request.app.state.settings, record)


@router.get(
    "/{detection_id}/frames.jpg",
    summary="Get the analyzed frames",
    response_class=Response,
    responses=_file_docs("image/jpeg") | error_docs(400, 404, 416),
)
def get_frames(request: Request, record: RequestedRecord) -> Response:
    """Return the analyzed frames as one picture (a sprite); `result.tiles` describes its layout."""
    return detection_service.send_sprite(request.app.state.settings, record, FRAMES_NAME)


@router.get(
    "/{detection_id}/heat.jpg",
    summary="Get the heatmaps",
    response_class=Response,
    responses=_file_docs("image/jpeg") | error_docs(400, 404, 416),
)
def get_heatmaps(request: Request, record: RequestedRecord) -> Response:
    """Return the same frames with a heatmap (Grad-CAM) of the evidence for AI generation."""
    return detection_service.send_sprite(request.app.state.settings, record, HEATMAPS_NAME)


@router.get(
    "/{detection_id}/report.html",
    summary="Get the report",
    response_class=Response,
    responses={200: {"description": "One HTML file.", "content": {"text/html": {"schema": {"type": "string"}}}}, **error_docs(404)},
)
def get_report(request: Request, record: RequestedRecord) -> Response:
    """Return the result as one HTML file that needs no server."""
    return detection_service.send_report(request.app.state.settings, record)
