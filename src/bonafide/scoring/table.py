"""The table of verdicts: one row per file, whatever came of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bonafide.errors import MediaError
from bonafide.files import atomic_path
from bonafide.metadata.detections import Detection
from bonafide.scoring.source import Listed

Row = dict[str, Any]

SCORES = pa.schema(
    {
        "file": pa.string(),  # below the source, POSIX
        "sha256": pa.string(),  # of the bytes; empty where they can't be read
        "kind": pa.string(),  # image, video; empty where not scored
        "verdict": pa.string(),  # real, ai-generated, uncertain, not scored
        "probability": pa.float64(),  # that it is AI-generated, calibrated
        "low": pa.float64(),  # 95 % interval of the probability
        "high": pa.float64(),
        "score": pa.float64(),  # before it is calibrated
        "cautions": pa.list_(pa.string()),  # codes: what makes the answer worth less than usual
        "provenance": pa.string(),  # what the file says of its origin, in a sentence
        "model": pa.string(),  # version
        "code": pa.string(),  # of bonafide.errors, why it was not scored
        "message": pa.string(),  # the same in words
    }
)
PART = pa.schema([*SCORES, pa.field("bytes", pa.int64()), pa.field("stamp", pa.string())])
"""A part also knows which files it is about: one with another size or stamp is another file."""


def row_of(said: Detection, listed: Listed) -> Row:
    """Return the row of a file's answer."""
    return {
        "file": listed.file,
        "sha256": said.sha256,
        "kind": said.facts.kind if said.facts else "",
        "verdict": said.verdict,
        "probability": said.probability,
        "low": said.interval.low if said.interval else None,
        "high": said.interval.high if said.interval else None,
        "score": said.score,
        "cautions": [caution.code for caution in said.cautions],
        "provenance": said.provenance.sentence if said.provenance else "",
        "model": said.model,
        "code": said.code,
        "message": said.message,
        "bytes": listed.bytes,
        "stamp": listed.stamp,
    }


def unread(listed: Listed, model: str, error: MediaError) -> Row:
    """Return the row of a file that the detector could not even look at."""
    facts = {"file": listed.file, "bytes": listed.bytes, "stamp": listed.stamp, "model": model, "code": error.code, "message": str(error)}
    return {"sha256": "", "kind": "", "verdict": "not scored", "cautions": [], "provenance": "", **facts}


def write(path: Path, rows: Iterable[Row], schema: pa.Schema) -> None:
    """Write rows by file, atomically."""
    ordered = sorted(rows, key=lambda row: row["file"])
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(ordered, schema=schema), temporary, compression="zstd")


def read_part(path: Path) -> list[Row]:
    """Return the rows of a part; none where another bonafide wrote it, with other columns."""
    table = pq.read_table(path)
    return table.to_pylist() if table.schema.equals(PART) else []
