"""The quarantine table: one row per rejected file, with the reason in a code and in words."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from realframe.errors import MediaError
from realframe.files import atomic_path

Row = dict[str, str]
_SCHEMA = pa.schema([(name, pa.string()) for name in ("path", "sha256", "code", "message")])


def row(path: str, sha256: str, error: MediaError) -> Row:
    """Return the row of one rejected file.

    Args:
        path: relative to ``data/raw``, POSIX.
        sha256: of its bytes; empty where it can't be read.
        error: why it was rejected. The message leaves out the place where the file lay on this machine.
    """
    message = ". ".join(part for part in (f"{path} {error.reason}", error.hint) if part)
    return {"path": path, "sha256": sha256, "code": error.code, "message": message}


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write ``rows`` to the parquet file ``path``, sorted, atomically; also when there are none, so that the table is always there."""
    ordered = sorted(rows, key=lambda each: (each["path"], each["code"]))
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist(ordered, schema=_SCHEMA), temporary)
