"""The results of a batch as a table for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator

from bonafide.metadata.detections import DetectionRecord
from bonafide.reporting.detection_rows import COLUMNS, Row, harmless, row_of

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
