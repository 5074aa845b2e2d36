"""Writing the tables of scores that the evidence is computed from: the same rows always give the same bytes."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bonafide.files import atomic_path


def write(table: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write the rows of ``table``, if there are any, as Parquet with the columns of ``schema``, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), temporary, compression="zstd", store_schema=False)
