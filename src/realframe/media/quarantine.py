"""Write the quarantine table: one row per rejected file, with the reason as a code and in words; count them in a stage's summary line."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from realframe.errors import MediaError
from realframe.tables import write_table

QuarantineRow = dict[str, str]
_SCHEMA = pa.schema([(name, pa.string()) for name in ("path", "sha256", "code", "message")])


def make_row(path: str, sha256: str, error: MediaError) -> QuarantineRow:
    """Return the row of one rejected file.

    Args:
        path: relative to ``data/raw``, POSIX.
        sha256: of the file's bytes; empty if it cannot be read.
        error: why the file was rejected. The message contains ``path`` instead of the error's subject, a place on this machine.
    """
    message = ". ".join(part for part in (f"{path} {error.reason}", error.hint) if part)
    return {"path": path, "sha256": sha256, "code": error.code, "message": message}


def write(path: Path, rows: Iterable[QuarantineRow]) -> None:
    """Write rows to the Parquet file ``path``, sorted, atomically; without rows, write an empty table, so that it always exists."""
    write_table(sorted(rows, key=lambda row: (row["path"], row["code"])), path, _SCHEMA)


def stage_summary(stage: str, item_count: int, cached_count: int, errors: Iterable[MediaError], drop_reasons: Iterable[str] = ()) -> str:
    """Return the summary of a stage: its items, its quarantined files by code, and its dropped frames by reason."""
    parts = [f"{item_count} items ({cached_count} cached)", f"quarantined {_format_counts(error.code for error in errors)}"]
    reasons = list(drop_reasons)
    return f"{stage}: " + ", ".join([*parts, f"frames dropped {_format_counts(reasons)}"] if reasons else parts)


def _format_counts(names: Iterable[str]) -> str:
    counts = Counter(names)
    detail = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    return f"{counts.total()}{f' ({detail})' if detail else ''}"
