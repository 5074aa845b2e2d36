"""The tables of scores that the evidence is computed from: their columns, and writing them. The same rows always give the same bytes."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bonafide.files import atomic_path

_ITEM = ("media_id", "label", "kind")
HELD_OUT = pa.schema({**dict.fromkeys(("held_out", "split", *_ITEM, "generator", "source", "cluster"), pa.string()), "score": pa.float64()})
ROBUSTNESS = pa.schema({**dict.fromkeys((*_ITEM, "cluster", "perturbation"), pa.string()), "level": pa.float64(), "score": pa.float64()})
REFERENCE = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64(), "features": pa.list_(pa.float32())})
REGRESSION = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64()})


def write(table: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write the rows of ``table``, if there are any, as Parquet with the columns of ``schema``, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), temporary, compression="zstd", store_schema=False)


def empty(schema: pa.Schema) -> pd.DataFrame:
    """Return a table without rows: nothing was measured."""
    return pd.DataFrame(columns=schema.names)
