"""An answer as a row: the same columns in the command's CSV, the batch's on the web page, and the table of a scoring job.

The results of a batch as a table for a spreadsheet.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from realframe.store.detection_documents import Detection, DetectionRecord

Row = dict[str, Any]

COLUMNS = (
    "file",
    "verdict",  # real, ai-generated, uncertain, not scored
    "probability",  # that it is AI-generated, calibrated
    "low",  # 95 % interval of the probability
    "high",
    "score",  # before it is calibrated
    "kind",  # image, video; empty where not scored
    "width",
    "height",
    "duration_s",
    "looked_at",  # frames
    "cautions",  # codes, space-separated: what makes the answer worth less than usual
    "moments",  # the suspicious ones, as start-end in seconds, space-separated
    "credentials",  # state of its content credentials; empty where it has none
    "provenance",  # what the file says of its origin, in a sentence
    "model",  # version
    "seconds",  # that it took
    "sha256",  # of the bytes; empty where they can't be read
    "code",  # of realframe.errors, why it was not scored
    "message",  # the same in words
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def row_of(said: Detection) -> Row:
    """Return the row of an answer; a figure that there is not is None, a text empty."""
    facts, interval, origin = said.facts, said.interval, said.provenance
    return {
        "file": said.file,
        "verdict": said.verdict,
        "probability": said.probability,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "score": said.score,
        "kind": facts.kind if facts else "",
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "duration_s": facts.duration_s if facts else None,
        "looked_at": said.looked_at,
        "cautions": " ".join(caution.code for caution in said.cautions),
        "moments": " ".join(f"{moment.start_s:.3f}-{moment.end_s:.3f}" for moment in said.moments),
        "credentials": origin.credentials.state if origin and origin.credentials else "",
        "provenance": origin.sentence if origin else "",
        "model": said.model,
        "seconds": round(sum(said.seconds.values()), 3),
        "sha256": said.sha256,
        "code": said.code,
        "message": said.message,
    }


def harmless(row: Row) -> Row:
    """Return a row in which no spreadsheet takes a text for a formula (OWASP, CSV injection): a path stays one behind ``./``."""
    return {name: f"{'./' if name == 'file' else chr(39)}{cell}" if _is_formula(cell) else cell for name, cell in row.items()}


def _is_formula(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith(_FORMULA)


_OF_RECORD = ("bytes", "owner", "created", "finished", "detection_id")


def csv_lines(records: Iterable[DetectionRecord]) -> Iterator[str]:
    """Yield the lines of a CSV file (RFC 4180), the head first; a file that is not done has its state in the place of the verdict."""
    written = io.StringIO()
    rows = csv.DictWriter(written, (*COLUMNS, *_OF_RECORD))
    rows.writeheader()
    yield written.getvalue()
    for record in records:
        written.seek(0)
        written.truncate()
        rows.writerow(harmless(_row(record)))
        yield written.getvalue()


def _row(record: DetectionRecord) -> Row:
    said = row_of(record.answer) if record.answer else {"file": record.file, "verdict": record.state}
    return said | {name: getattr(record, name) for name in _OF_RECORD}
