"""Turn detections into table rows: the same columns in the command's CSV, in a batch's CSV on the web and in the table of a scoring job."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from realframe.presentation.formatting import bound_probability
from realframe.presentation.wording import SCOPE, describe_basis, probability_to_show
from realframe.store.detection_documents import Detection, DetectionRecord

Row = dict[str, Any]

COLUMNS = (
    "file",
    "verdict",  # real, ai-generated, uncertain, not scored
    "basis",  # why the detector gives no verdict on such files, or why a reviewer decided that it does; else empty
    "probability",  # that it is AI-generated, calibrated, from 0.01 to 0.99; empty where the detector gives no verdict
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
    "checks",  # each with its state: name=found, name=not-found or name=could-not-check, space-separated
    "credentials",  # validity of the content credentials; empty where none were read
    "provenance",  # the statements of the file about its origin, in a sentence
    "model",  # version
    "seconds",  # of processing
    "sha256",  # of the bytes; empty where they cannot be read
    "code",  # error code of realframe.errors; empty where it was scored
    "message",  # the error in words
    "scope",  # what no verdict is about
)
FRAME_COLUMNS = ("file", "verdict", "basis", "probability", "time_s", "frame_score", "attention", "model", "sha256", "scope")
_RECORD_COLUMNS = ("bytes", "owner", "created", "finished", "detection_id")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def build_detection_row(detection: Detection) -> Row:
    """Return the row of a detection; a missing figure is None, a missing text empty."""
    facts, origin = detection.facts, detection.provenance
    probability = probability_to_show(detection)
    interval = detection.interval if probability is not None else None
    return {
        "file": detection.file,
        "verdict": detection.verdict,
        "basis": describe_basis(detection),
        "probability": probability,
        "low": bound_probability(interval.low) if interval else None,
        "high": bound_probability(interval.high) if interval else None,
        "score": detection.score,
        "kind": facts.kind if facts else "",
        "width": facts.width if facts else None,
        "height": facts.height if facts else None,
        "duration_s": facts.duration_s if facts else None,
        "frames_analyzed": detection.frames_analyzed,
        "cautions": " ".join(caution.code for caution in detection.cautions),
        "moments": " ".join(f"{moment.start_s:.3f}-{moment.end_s:.3f}" for moment in detection.moments),
        "checks": " ".join(f"{check.name}={check.state}" for check in detection.checks),
        "credentials": origin.credentials.state if origin and origin.credentials else "",
        "provenance": origin.sentence if origin else "",
        "model": detection.model,
        "seconds": round(sum(detection.seconds.values()), 3),
        "sha256": detection.sha256,
        "code": detection.code,
        "message": detection.message,
        "scope": SCOPE,
    }


def iter_frame_rows(detection: Detection) -> Iterator[Row]:
    """Yield a row for each frame of a detection, or a single row without a frame where there is none."""
    full_row = build_detection_row(detection)
    row = {name: full_row[name] for name in FRAME_COLUMNS if name in full_row}
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
