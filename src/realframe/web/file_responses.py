"""Send the files of a detection: the uploaded file, its sprites and its report. Their content comes from strangers and is sandboxed."""

from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord
from realframe.web import detection_service

_MEDIA_TYPES = {
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


def media_response(settings: Settings, record: DetectionRecord) -> Response:
    """Send the uploaded file. Raises NotFoundError."""
    file, container = detection_service.find_media(settings, record)
    media_type = _MEDIA_TYPES.get(container, "application/octet-stream")
    return _RangeResponse(file, media_type=media_type, filename=record.file, content_disposition_type="inline", headers=_HEADERS)


def picture_response(settings: Settings, record: DetectionRecord, name: str) -> Response:
    """Send a sprite, ``FRAMES_NAME`` or ``HEATMAPS_NAME``. Raises NotFoundError."""
    return _RangeResponse(detection_service.find_picture(settings, record, name), media_type="image/jpeg", headers=_HEADERS)


def report_response(settings: Settings, record: DetectionRecord) -> Response:
    """Send the report as a download. Raises NotFoundError."""
    text = detection_service.render_report(settings, record)
    disposition = f'attachment; filename="realframe-{record.key}.html"'
    return Response(text, media_type="text/html", headers={**_HEADERS, "Content-Disposition": disposition})


class _RangeResponse(FileResponse):
    """A file that supports range requests (RFC 9110, section 14); an invalid range is answered like any other error."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_or_raise(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (400, 416):
                headers = {name.decode(): value.decode() for name, value in message["headers"] if name == b"content-range"}
                raise HTTPException(message["status"], "The file does not have this range.", headers)
            await send(message)

        await super().__call__(scope, receive, send_or_raise)
