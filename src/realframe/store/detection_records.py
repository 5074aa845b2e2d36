"""Find, list, count and delete the records of uploaded files; queries for a user only see what that user may see."""

import base64
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from realframe.errors import ForbiddenError, MetadataError, NotFoundError, RequestError
from realframe.settings import Settings
from realframe.store.accounts import User
from realframe.store.detection_documents import Detection, DetectionRecord
from realframe.store.repository import Store
from realframe.store.user_documents import Prediction

CURSOR_PATTERN = "^([A-Za-z0-9_-]{21}[AQgw])?$"
"""The form of a cursor: a record's 16 bytes in base64url, or nothing."""
_CURSOR_BYTES = 16
_DELETED_TOGETHER = 100  # records
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RecordFilter:
    """A filter of records; what is empty or None does not filter.

    Attributes:
        verdict: verdict of the result.
        model: version that gave the result.
        batch: batch of the upload.
        file: a part of the file name, in any case.
        since: uploaded at this time or later.
        until: uploaded before this time.
    """

    verdict: str = ""
    model: str = ""
    batch: str = ""
    file: str = ""
    since: datetime | None = None
    until: datetime | None = None


def get_record(store: Store, user: User, detection_id: str) -> DetectionRecord:
    """Return a record. Raises NotFoundError if it does not exist, or if the user may not see it."""
    record = store.get(DetectionRecord, detection_id)
    if record is None or not (user.can_see_all or record.owner == user.name):
        raise NotFoundError(f"detection {detection_id}", "does not exist, or was deleted", "List the detections: `GET /api/v1/detections`.")
    return record


def list_records(
    store: Store, user: User, record_filter: RecordFilter, limit: int, cursor: str = ""
) -> tuple[list[DetectionRecord], str | None]:
    """Return at most ``limit`` records, the newest first, and the cursor of the next page; None if this is the last page.

    Raises RequestError if the cursor is not valid.
    """
    query = _build_query(user, record_filter, _parse_cursor(cursor) if cursor else "")
    records = store.find_page(DetectionRecord, query, limit + 1)
    return records[:limit], _format_cursor(records[limit - 1]) if len(records) > limit else None


def count_records(store: Store, user: User, record_filter: RecordFilter) -> int:
    """Return the number of records that match."""
    return store.count(DetectionRecord, _build_query(user, record_filter))


def count_by_model(store: Store, verdict: str) -> dict[str, int]:
    """Return the number of records with a verdict, of all users, by the version that gave the result."""
    return store.count_by(DetectionRecord, "model", {"verdict": verdict})


def list_recent_results(store: Store, limit: int) -> list[Detection]:
    """Return at most ``limit`` results, of all users, the newest first."""
    return [record.result for record in store.find_page(DetectionRecord, {"state": "done"}, limit) if record.result]


def delete_record(store: Store, settings: Settings, user: User, record: DetectionRecord) -> None:
    """Delete a record with all that was stored of its file (:func:`delete_records`), in any state. Raises ForbiddenError."""
    if not user.can_delete(record.owner):
        raise ForbiddenError(f"detection {record.key}", "was uploaded by another user", "Ask that user or an admin to delete it.")
    delete_records(store, settings, [record])


def delete_records(store: Store, settings: Settings, records: Sequence[DetectionRecord]) -> int:
    """Delete records with their files, their pictures and their predictions; return the number of predictions.

    Predictions stay where another record has the same file. Files that people have labeled were copied, and stay too. If this is killed,
    call it again: the records go last, so that they name what is left.

    Raises:
        MetadataError: a folder cannot be deleted.
    """
    for record in records:
        _delete_folder(settings.uploads_dir / record.key)
    predictions = _find_unused_predictions(store, records)
    store.delete(Prediction, predictions)
    store.delete(DetectionRecord, [record.key for record in records])
    return len(predictions)


def _delete_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():  # a worker may have added a picture meanwhile
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise MetadataError(folder, f"cannot be deleted: {error.strerror}", "Check its owner and its modes.") from error


def _find_unused_predictions(store: Store, records: Sequence[DetectionRecord]) -> set[str]:
    """Return the keys of the predictions for the files of these records that no other record has."""
    digests = {record.result.sha256 for record in records if record.result and record.result.sha256}
    if not digests:
        return set()
    # the whole result: NX-27017 is wrong about a field of it
    known = store.find_fields(DetectionRecord, ("detection_id", "result"), {"result.sha256": {"$in": sorted(digests)}})
    deleted = {record.key for record in records}
    digests -= {row["result"]["sha256"] for row in known if row["detection_id"] not in deleted}
    return store.find_keys(Prediction, {"sha256": {"$in": sorted(digests)}}) if digests else set()


class FinishedUpload(NamedTuple):
    """A finished upload: the id of its record, its owner, the name and size of the file, when it arrived, and whether it is stored."""

    detection_id: str
    owner: str
    file: str
    bytes: int
    created: str
    has_files: bool


def list_finished(store: Store, before: datetime, owner: str = "") -> list[FinishedUpload]:
    """Return the finished uploads that arrived before a time, of one owner or of all, the oldest first."""
    rows = store.find_fields(DetectionRecord, FinishedUpload._fields, _finished_query(before, owner), ("detection_id",))
    return [FinishedUpload(**row) for row in rows]


def delete_finished(store: Store, settings: Settings, before: datetime, owner: str = "") -> Iterator[tuple[int, int]]:
    """Delete the finished uploads that arrived before a time; yield how many records and predictions each step deleted."""
    while records := store.find_page(DetectionRecord, _finished_query(before, owner), _DELETED_TOGETHER):
        yield len(records), delete_records(store, settings, records)


def _finished_query(before: datetime, owner: str) -> dict[str, object]:
    return {"state": "done", "detection_id": {"$lt": _first_id(before)}, **({"owner": owner} if owner else {})}


def list_expired(store: Store, before: datetime, limit: int) -> list[DetectionRecord]:
    """Return at most ``limit`` finished records whose files are still stored and were uploaded before a time."""
    created = before.isoformat(timespec="milliseconds")
    return store.find_page(DetectionRecord, {"state": "done", "has_files": True, "created": {"$lt": created}}, limit)


def mark_files_deleted(store: Store, record: DetectionRecord) -> None:
    """Note that the file of a record and its pictures were deleted."""
    store.update(DetectionRecord, record.key, {"has_files": False})


def _build_query(user: User, record_filter: RecordFilter, below_id: str = "") -> dict[str, object]:
    fields = {"verdict": record_filter.verdict, "model": record_filter.model, "batch": record_filter.batch}
    query: dict[str, object] = {field: value for field, value in fields.items() if value}
    if not user.can_see_all:
        query["owner"] = user.name
    if record_filter.file:
        query["file"] = {"$regex": f"(?i){re.escape(record_filter.file.replace(chr(0), ''))}"}
    return query | _id_range(record_filter, below_id)


def _id_range(record_filter: RecordFilter, below_id: str) -> dict[str, object]:
    """Filter by ids, which begin with the time: on texts that look like a time, and on parts of ``_id``, NX-27017 is wrong or slow."""
    lower = {"$gte": _first_id(record_filter.since)} if record_filter.since else {}
    upper_bounds = [bound for bound in (below_id, _first_id(record_filter.until) if record_filter.until else "") if bound]
    id_range = lower | ({"$lt": min(upper_bounds)} if upper_bounds else {})
    return {"detection_id": id_range} if id_range else {}


def _first_id(time: datetime) -> str:
    """Return the lowest id of a time; a time without a zone is UTC."""
    since_epoch = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    nanoseconds = since_epoch // timedelta(microseconds=1) * 1000
    return f"{min(max(nanoseconds, 0), 2**64 - 1):016x}{0:016x}"


def _format_cursor(record: DetectionRecord) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(record.key)).decode().rstrip("=")


def _parse_cursor(cursor: str) -> str:
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except ValueError:
        key = b""
    if len(key) != _CURSOR_BYTES:
        raise RequestError(
            "cursor", "is not a cursor of this API", "Omit it for the first page, and send the `next` of each page for the following one."
        )
    return key.hex()
