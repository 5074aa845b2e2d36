"""Turn detections into table rows: the same columns in the command's CSV, in a batch's CSV on the web and in the table of a scoring job."""

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
    "score",  # before calibration
    "kind",  # image, video; empty where not scored
    "width",  # pixels
    "height",
    "duration_s",
    "frames_analyzed",
    "cautions",  # codes, space-separated
    "moments",  # the suspicious ones, as start-end in seconds, space-separated
    "credentials",  # state of the content credentials; empty where there are none
    "provenance",  # the statements of the file about its origin, in a sentence
    "model",  # version
    "seconds",  # of processing
    "sha256",  # of the bytes; empty where they cannot be read
    "code",  # error code of realframe.errors; empty where it was scored
    "message",  # the error in words
)
FRAME_COLUMNS = ("file", "verdict", "probability", "time_s", "frame_score", "attention", "model", "sha256")
_RECORD_COLUMNS = ("bytes", "owner", "created", "finished", "detection_id")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def build_detection_row(detection: Detection) -> Row:
    """Return the row of a detection; a missing figure is None, a missing text empty."""
    facts, interval, origin = detection.facts, detection.interval, detection.provenance
    return {
        "file": detection.file,
        "verdict": detection.verdict,
        "probability": detection.probability,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "score": detection.score,
        "kind": facts.kind if facts else "",
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "duration_s": facts.duration_s if facts else None,
        "frames_analyzed": detection.frames_analyzed,
        "cautions": " ".join(caution.code for caution in detection.cautions),
        "moments": " ".join(f"{moment.start_s:.3f}-{moment.end_s:.3f}" for moment in detection.moments),
        "credentials": origin.credentials.state if origin and origin.credentials else "",
        "provenance": origin.sentence if origin else "",
        "model": detection.model,
        "seconds": round(sum(detection.seconds.values()), 3),
        "sha256": detection.sha256,
        "code": detection.code,
        "message": detection.message,
    }


def iter_frame_rows(detection: Detection) -> Iterator[Row]:
    """Yield a row for each frame of a detection, or a single row without a frame where there is none."""
    row = {name: getattr(detection, name) for name in ("file", "verdict", "probability", "model", "sha256")}
    yield from ({**row, "time_s": frame.time_s, "frame_score": frame.score, "attention": frame.attention} for frame in detection.frames)
    if not detection.frames:
        yield row


def escape_formulas(row: Row) -> Row:
    """Return a row in which no spreadsheet takes a text for a formula (OWASP, CSV injection): a path stays a path, behind ``./``."""
    return {name: f"{'./' if name == 'file' else chr(39)}{cell}" if _is_formula(cell) else cell for name, cell in row.items()}


def iter_csv_lines(records: Iterable[DetectionRecord]) -> Iterator[str]:
    """Yield the lines of a CSV file (RFC 4180), the header first; a file that is not done has its state as the verdict."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, (*COLUMNS, *_RECORD_COLUMNS))
    writer.writeheader()
    yield buffer.getvalue()
    for record in records:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(escape_formulas(_record_row(record)))
        yield buffer.getvalue()


def _is_formula(cell: object) -> bool:
    return isinstance(cell, str) and cell.startswith(_FORMULA_STARTS)


def _record_row(record: DetectionRecord) -> Row:
    row = build_detection_row(record.result) if record.result else {"file": record.file, "verdict": record.state}
    return row | {name: getattr(record, name) for name in _RECORD_COLUMNS}
