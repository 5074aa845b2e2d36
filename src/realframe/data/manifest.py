"""The dataset's tables on disk: their columns, reading and writing them, and the version that names a dataset.

A table with equal content has equal bytes, wherever and whenever it was written: rows are sorted by ``media_id``, and nothing of the
writing program but its Arrow version is kept in the file.
"""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from realframe.errors import DatasetError
from realframe.files import atomic_path

MEDIA = pa.schema(
    {
        "media_id": pa.string(),  # SHA-256 of the bytes
        "path": pa.string(),  # relative to data/raw, POSIX
        "kind": pa.string(),  # image, video
        "label": pa.string(),  # real, fake
        "generator": pa.string(),
        "source": pa.string(),
        "group": pa.string(),
        "split": pa.string(),  # train, val, test; empty where the layout gives none
        "licence": pa.string(),  # in the words of whom it comes from; empty where unstated
        "width": pa.int32(),  # pixels, upright
        "height": pa.int32(),
        "rotation": pa.int32(),  # degrees
        "fps": pa.float64(),  # 0 for images
        "variable_fps": pa.bool_(),
        "frames": pa.int64(),
        "duration_s": pa.float64(),
        "codec": pa.string(),
        "container": pa.string(),
        "bytes": pa.int64(),
        "quantisation": pa.string(),  # digest over a JPEG's quantisation tables; empty for all else
        "jpeg_quality": pa.int32(),  # 0 for all else
        "metadata": pa.string(),  # names of what the file carries besides its pictures, space-separated
    }
)
BALANCED = pa.schema([*MEDIA, pa.field("included", pa.bool_()), pa.field("why", pa.string())])
SPLITS = pa.schema([*MEDIA, pa.field("cluster", pa.string()), pa.field("repeat", pa.int32()), pa.field("weight", pa.float64())])


def write(frame: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write the rows as Parquet, sorted by ``media_id``; columns beyond the schema are left out.

    Raises:
        DatasetError: a column is missing, of another type or holds an empty cell, or a media item stands there twice.
    """
    rows = frame.sort_values("media_id", kind="stable")
    try:
        table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
    except (KeyError, pa.ArrowException) as error:
        raise DatasetError(path.name, f"does not fit its columns: {error}") from error
    hollow = [name for name in schema.names if table.column(name).null_count]
    if hollow:
        raise DatasetError(path.name, f"has empty cells in {', '.join(hollow)}")
    if rows["media_id"].duplicated().any():
        raise DatasetError(path.name, f"names {rows['media_id'][rows['media_id'].duplicated()].iloc[0]} twice")
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", store_schema=False)


def read(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a table that :func:`write` wrote.

    Raises:
        DatasetError: there is no such file, or it lacks columns.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise DatasetError(path, "is not there", "Run the pipeline up to here: `realframe run`.") from error
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise DatasetError(path, f"lacks the columns {', '.join(missing)}", "Run the pipeline again: `realframe run`.")
    return table.select(schema.names).cast(schema).to_pandas()


def dataset_version(splits: pd.DataFrame) -> str:
    """Return the 12 hex digits that name a dataset: a SHA-256 over which items it holds, with label, split and repeat.

    It depends on nothing else: not on paths, on the order of the rows or on when and where the dataset was made.
    """
    columns = splits[["media_id", "label", "split", "repeat"]].sort_values("media_id")
    rows = list(zip(*(columns[name].tolist() for name in columns), strict=True))
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()[:12]
