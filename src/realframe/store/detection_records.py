"""The records of files handed in, as far as one who asks may see them."""

import base64
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from realframe.errors import ForbiddenError, NotFoundError, RequestError
from realframe.settings import Settings
from realframe.store.detection_documents import DetectionRecord
from realframe.store.repository import Store
from realframe.web.auth.authentication import Caller

CURSOR = "^([A-Za-z0-9_-]{21}[AQgw])?$"
"""How a cursor looks: a record's 16 bytes in base64url."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RecordFilter:
    """Which records are asked for; what is empty or None asks for nothing.

    Attributes:
        verdict: of the answer.
        model: the version that answered.
        batch: of files that were handed in together.
        file: a part of the name, in any case.
        since: handed in then or later.
        until: handed in before.
    """

    verdict: str = ""
    model: str = ""
    batch: str = ""
    file: str = ""
    since: datetime | None = None
    until: datetime | None = None


def find(store: Store, caller: Caller, detection_id: str) -> DetectionRecord:
    """Return a record. Raises NotFoundError where it is not there, or not for the caller's eyes."""
    record = store.get(DetectionRecord, detection_id)
    if record is None or not (caller.sees_all or record.owner == caller.name):
        raise NotFoundError(f"detection {detection_id}", "is not there (any more)", "See what is: `GET /api/v1/detections`.")
    return record


def listing(store: Store, caller: Caller, wanted: RecordFilter, limit: int, cursor: str = "") -> tuple[list[DetectionRecord], str | None]:
    """Return at most ``limit`` records, the newest first, and the cursor of those after them; None where there are none.

    Raises RequestError where the cursor is none of ours.
    """
    where = _matching(caller, wanted, _position(cursor) if cursor else "")
    found = store.page(DetectionRecord, where, limit + 1)
    return found[:limit], _cursor(found[limit - 1]) if len(found) > limit else None


def count(store: Store, caller: Caller, wanted: RecordFilter) -> int:
    """Return how many records there are of those asked for."""
    return store.count(DetectionRecord, _matching(caller, wanted))


def remove(store: Store, settings: Settings, caller: Caller, record: DetectionRecord) -> None:
    """Take a record away with its file and its pictures, whatever state it is in. Raises ForbiddenError."""
    if not caller.may_remove(record.owner):
        raise ForbiddenError(f"detection {record.key}", "was handed in by somebody else", "Ask them, or an admin.")
    store.delete(DetectionRecord, [record.key])
    shutil.rmtree(settings.uploads_dir / record.key, ignore_errors=True)


def _matching(caller: Caller, wanted: RecordFilter, below: str = "") -> dict[str, object]:
    given = {"verdict": wanted.verdict, "model": wanted.model, "batch": wanted.batch}
    where: dict[str, object] = {field: value for field, value in given.items() if value}
    if not caller.sees_all:
        where["owner"] = caller.name
    if wanted.file:
        where["file"] = {"$regex": f"(?i){re.escape(wanted.file.replace(chr(0), ''))}"}
    return where | _between(wanted, below)


def _between(wanted: RecordFilter, below: str) -> dict[str, object]:
    """By ids, which begin with the time: of texts that look like a time, and of parts of ``_id``, NX-27017 is wrong or slow."""
    first = {"$gte": _first_id(wanted.since)} if wanted.since else {}
    ends = [end for end in (below, _first_id(wanted.until) if wanted.until else "") if end]
    within = first | ({"$lt": min(ends)} if ends else {})
    return {"detection_id": within} if within else {}


def _first_id(at: datetime) -> str:
    """The lowest id of that time; a time without a zone is UTC."""
    since = (at if at.tzinfo else at.replace(tzinfo=UTC)) - _EPOCH
    nanoseconds = since // timedelta(microseconds=1) * 1000
    return f"{min(max(nanoseconds, 0), 2**64 - 1):016x}{0:016x}"


def _cursor(record: DetectionRecord) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(record.key)).decode().rstrip("=")


def _position(cursor: str) -> str:
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
    except ValueError:
        position = b""
    if len(position) != 16:
        raise RequestError("cursor", "is none of ours", "Begin without one, and take `next` of each answer for the following.")
    return position.hex()
