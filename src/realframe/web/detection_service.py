"""Read, label and delete uploaded files and their results. The API and the pages share these functions.

They take plain arguments: the store, the settings, and a user or a record. Functions that take a record check no permissions: the
caller has found the record with ``detection_records.get_record``, or with the token of a share link. Uploads are in ``web/uploads``.
"""

from pathlib import Path

from realframe.errors import GoneError, NotFoundError
from realframe.feedback.feedback_labels import LabelCase, add_vote
from realframe.reports.detection_report import render_detection_report
from realframe.settings import Settings
from realframe.store import detection_records
from realframe.store.accounts import User
from realframe.store.detection_documents import DetectionRecord
from realframe.store.document_base import Label
from realframe.store.repository import Store
from realframe.store.upload_files import MEDIA_NAME

FRAMES_NAME, HEATMAPS_NAME = "frames.jpg", "heat.jpg"
"""The names of the sprites in the folder of a record: the analyzed frames, and their heatmaps."""


def add_label(store: Store, settings: Settings, user: User, detection_id: str, label: Label, reason: str) -> LabelCase:
    """Store a user's label for a file, and a copy of the file; return all labels of the file. An earlier label is replaced.

    Raises NotFoundError, GoneError, NotMediaError, TakenDownError.
    """
    record = detection_records.get_record(store, user, detection_id)
    file = settings.uploads_dir / record.key / MEDIA_NAME
    if not record.has_files or not file.exists():
        raise GoneError(record.file, "was deleted, so it cannot be labeled", "Upload it again.")
    return add_vote(store, settings.feedback_dir, file, label, reason, user.name, record.file)


def delete_detection(store: Store, settings: Settings, user: User, detection_id: str) -> None:
    """Delete a record with its file and pictures, even while it is being scored. Raises NotFoundError, ForbiddenError."""
    detection_records.delete_record(store, settings, user, detection_records.get_record(store, user, detection_id))


def find_media(settings: Settings, record: DetectionRecord) -> tuple[Path, str]:
    """Return the path and the container format of an uploaded file. Raises NotFoundError."""
    if record.result is None or record.result.facts is None:
        raise _file_not_found(record, "is not known to be an image or a video")
    return _existing_file(settings, record, MEDIA_NAME), record.result.facts.container


def find_picture(settings: Settings, record: DetectionRecord, name: str) -> Path:
    """Return the path of a sprite, ``FRAMES_NAME`` or ``HEATMAPS_NAME``. Raises NotFoundError."""
    return _existing_file(settings, record, name)


def render_report(settings: Settings, record: DetectionRecord) -> str:
    """Return the result as one HTML file that needs no server. Raises NotFoundError."""
    if record.result is None:
        raise _file_not_found(record, "has no result yet")
    folder = settings.uploads_dir / record.key
    frames, heatmaps = (file.read_bytes() if file.exists() else None for file in (folder / FRAMES_NAME, folder / HEATMAPS_NAME))
    return render_detection_report([(record.result, frames, heatmaps)])


def _existing_file(settings: Settings, record: DetectionRecord, name: str) -> Path:
    file = settings.uploads_dir / record.key / name
    if not file.exists():
        raise _file_not_found(record, f"has no {name}")
    return file


def _file_not_found(record: DetectionRecord, reason: str) -> NotFoundError:
    return NotFoundError(record.file, reason, "The record lists the available files under `links`.")
