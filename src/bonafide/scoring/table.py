"""The table of verdicts: one row per file, whatever came of it."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bonafide.errors import MediaError
from bonafide.files import atomic_path
from bonafide.metadata.detections import Detection
from bonafide.reporting.detection_rows import COLUMNS, Row, row_of
from bonafide.scoring.source import Listed

_TYPES = dict.fromkeys(("probability", "low", "high", "score", "duration_s", "seconds"), pa.float64())
_TYPES |= dict.fromkeys(("width", "height", "looked_at"), pa.int64())
SCORES = pa.schema({name: _TYPES.get(name, pa.string()) for name in COLUMNS})
"""Of a file that was not scored the figures are null and the texts empty; ``file`` is below the source, POSIX."""
PART = pa.schema([*SCORES, pa.field("bytes", pa.int64()), pa.field("stamp", pa.string())])
"""A part also knows which files it is about: one with another size or stamp is another file."""


def row_in_part(said: Detection, listed: Listed) -> Row:
    """Return the row of a file's answer."""
    return row_of(said) | {"file": listed.file, "bytes": listed.bytes, "stamp": listed.stamp}


def unread(listed: Listed, model: str, error: MediaError) -> Row:
    """Return the row of a file that the detector could not even look at."""
    texts = {name: "" for name in COLUMNS if name not in _TYPES}
    known = {"file": listed.file, "bytes": listed.bytes, "stamp": listed.stamp, "verdict": "not scored", "model": model}
    return texts | known | {"looked_at": 0, "seconds": 0.0, "code": error.code, "message": str(error)}


def write(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows by file, atomically."""
    ordered = sorted(rows, key=lambda row: row["file"])
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(ordered, schema=schema), temporary, compression="zstd")


def read_part(path: Path) -> list[Row]:
    """Return the rows of a part; none where another bonafide wrote it, with other columns."""
    table = pq.read_table(path)
    return table.to_pylist() if table.schema.equals(PART) else []
