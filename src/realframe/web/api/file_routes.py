"""What is kept of a file: itself, the pictures of its frames, and its answer as a page to take along."""

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from realframe.errors import NotFoundError
from realframe.reports import detection_report
from realframe.store import detection_records
from realframe.store.detection_documents import DetectionRecord
from realframe.web.api.openapi import Known, errors
from realframe.web.api.schemas import PREFIX
from realframe.web.auth.authentication import Caller, Calling
from realframe.web.uploads.upload import MEDIA

router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])
FRAMES, HEAT = "frames.jpg", "heat.jpg"
_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "webm": "video/webm",
    "avi": "video/x-msvideo",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "heif": "image/heif",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "tiff": "image/tiff",
}
_HEADERS = {"Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "Cache-Control": "private, max-age=300"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class _Ranged(FileResponse):
    """A file of which a part may be asked for (RFC 9110, section 14); a range that it does not have is a problem like any other."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                headers = {name.decode(): value.decode() for name, value in message["headers"] if name == b"content-range"}
                raise HTTPException(message["status"], "The file has no such range.", headers)
            await send(message)

        await super().__call__(scope, receive, told)


def _answers(media_type: str) -> dict[int | str, dict[str, object]]:
    content = {media_type: _BINARY}
    return {200: {"description": "The file.", "content": content}, 206: {"description": "The part asked for.", "content": content}}


@router.get("/{detection_id}/media", summary="The file", response_class=Response, responses=_answers("*/*") | errors(400, 404, 416))
def media(request: Request, caller: Calling, detection_id: Known) -> Response:
    """Return the file itself, where it was recognised as media; `Range` is understood."""
    record = detection_records.find(request.app.state.store, caller, detection_id)
    if record.answer is None or record.answer.facts is None:
        raise _not_kept(record, "was not recognised as media (yet)")
    kind = _TYPES.get(record.answer.facts.container, "application/octet-stream")
    return _Ranged(
        _kept(request, record, MEDIA), media_type=kind, filename=record.file, content_disposition_type="inline", headers=_HEADERS
    )


@router.get(
    "/{detection_id}/frames.jpg",
    summary="Its frames",
    response_class=Response,
    responses=_answers("image/jpeg") | errors(400, 404, 416),
)
def frames(request: Request, caller: Calling, detection_id: Known) -> Response:
    """Return the frames that were looked at as one picture; `answer.tiles` says how they lie."""
    return _picture(request, caller, detection_id, FRAMES)


@router.get(
    "/{detection_id}/heat.jpg",
    summary="What spoke for AI-generated",
    response_class=Response,
    responses=_answers("image/jpeg") | errors(400, 404, 416),
)
def heat(request: Request, caller: Calling, detection_id: Known) -> Response:
    """Return the same frames with what spoke for AI-generated marked (Grad-CAM)."""
    return _picture(request, caller, detection_id, HEAT)


@router.get(
    "/{detection_id}/report.html",
    summary="Its answer as a page",
    response_class=Response,
    responses={200: {"description": "One HTML file.", "content": {"text/html": {"schema": {"type": "string"}}}}, **errors(404)},
)
def report(request: Request, caller: Calling, detection_id: Known) -> Response:
    """Return the answer as one HTML file that shows all of it without this service."""
    record = detection_records.find(request.app.state.store, caller, detection_id)
    if record.answer is None:
        raise _not_kept(record, "is not done yet")
    folder: Path = request.app.state.settings.uploads_dir / record.key
    of_frames, of_heat = (file.read_bytes() if file.exists() else None for file in (folder / FRAMES, folder / HEAT))
    text = detection_report.html([(record.answer, of_frames, of_heat)])
    disposition = f'attachment; filename="realframe-{record.key}.html"'
    return Response(text, media_type="text/html", headers={**_HEADERS, "Content-Disposition": disposition})


def _picture(request: Request, caller: Caller, detection_id: str, name: str) -> Response:
    record = detection_records.find(request.app.state.store, caller, detection_id)
    return _Ranged(_kept(request, record, name), media_type="image/jpeg", headers=_HEADERS)


def _kept(request: Request, record: DetectionRecord, name: str) -> Path:
    file: Path = request.app.state.settings.uploads_dir / record.key / name
    if not file.exists():
        raise _not_kept(record, f"has no {name} (yet, or any more)")
    return file


def _not_kept(record: DetectionRecord, reason: str) -> NotFoundError:
    return NotFoundError(record.file, reason, "Its record says what there is, under `links`.")
