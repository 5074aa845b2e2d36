"""Write Parquet tables: the only writer of the package and the pipeline, so that equal rows give equal bytes everywhere.

A file holds the rows, their columns and the Arrow version; no pandas metadata, no Arrow schema, no time of writing. The order of the
rows is the caller's: sort them first where the file is to be deterministic.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from realframe.errors import DatasetError
from realframe.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

_COMPRESSION = "zstd"


def write_table(rows: "pd.DataFrame | pa.Table | Iterable[Mapping[str, Any]]", path: Path, schema: pa.Schema) -> None:
    """Write rows as a Parquet file with the columns of ``schema``, atomically.

    Args:
        rows: a data frame, whose index is ignored and whose missing values become null; an Arrow table; or mappings, in which an absent
            key is null. Columns beyond the schema are left out.
        path: the file; its folder is created.
        schema: names and types of the columns, in order.

    Raises:
        DatasetError: a column is missing, or a value does not fit the type of its column.
    """
    table = to_arrow(rows, path, schema)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression=_COMPRESSION, store_schema=False)


def to_arrow(rows: "pd.DataFrame | pa.Table | Iterable[Mapping[str, Any]]", path: Path, schema: pa.Schema) -> pa.Table:
    """Return rows as an Arrow table with the columns of ``schema``; arguments and errors as in :func:`write_table`."""
    try:
        if isinstance(rows, pa.Table):
            return rows.select(schema.names).cast(schema).combine_chunks()
        if hasattr(rows, "columns"):  # a data frame: this module does not import pandas, which takes most of a second
            return pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
        return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    except (KeyError, pa.ArrowException) as error:
        raise DatasetError(
            path.name, f"has rows that do not match its columns: {error}", "Run the pipeline again: `realframe run`."
        ) from error
