"""Read and write the manifests, the Parquet tables of the dataset, and compute the digest of a dataset.

Tables with equal content have equal bytes, wherever and whenever they are written: rows are sorted by ``media_id``, and the file holds no
metadata of the writing program but its Arrow version.
"""

import hashlib
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from realframe.errors import DatasetError
from realframe.tables import to_arrow, write_table

RENDERED_PREFIX = "demo-"
"""Of the names of the cameras and generators that ``realframe demo-data`` simulates. A detector trained on their media gives no verdict."""
_RERUN = "Run the pipeline again: `realframe run`."
MEDIA_SCHEMA = pa.schema(
    {
        "media_id": pa.string(),  # SHA-256 of the bytes
        "path": pa.string(),  # relative to data/raw, POSIX
        "kind": pa.string(),  # image, video
        "label": pa.string(),  # real, fake
        "generator": pa.string(),
        "source": pa.string(),
        "group": pa.string(),
        "split": pa.string(),  # train, val, test; empty where the layout names none
        "licence": pa.string(),  # in the words of the provider; empty where unstated
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
        "quantization": pa.string(),  # digest of a JPEG's quantization tables; empty for other formats
        "jpeg_quality": pa.int32(),  # 0 for other formats
        "metadata": pa.string(),  # names of the embedded metadata, space-separated
    }
)
BALANCED_SCHEMA = pa.schema([*MEDIA_SCHEMA, pa.field("included", pa.bool_()), pa.field("exclusion_reason", pa.string())])
SPLITS_SCHEMA = pa.schema(
    [*MEDIA_SCHEMA, pa.field("cluster", pa.string()), pa.field("repeat", pa.int32()), pa.field("weight", pa.float64())]
)


def write(frame: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write the rows as Parquet, sorted by ``media_id``; columns beyond the schema are left out.

    Raises:
        DatasetError: a column is missing, has another type or an empty cell, or a media item occurs twice.
    """
    rows = frame.sort_values("media_id", kind="stable")
    table = to_arrow(rows, path, schema)
    with_nulls = [name for name in schema.names if table.column(name).null_count]
    if with_nulls:
        raise DatasetError(path.name, f"has empty cells in {', '.join(with_nulls)}", _RERUN)
    if rows["media_id"].duplicated().any():
        raise DatasetError(path.name, f"lists {rows['media_id'][rows['media_id'].duplicated()].iloc[0]} twice", _RERUN)
    write_table(table, path, schema)


def read(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a table that :func:`write` wrote.

    Raises:
        DatasetError: the file does not exist, or lacks columns.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise DatasetError(path, "does not exist", "Run the pipeline up to this stage: `realframe run`.") from error
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        raise DatasetError(path, f"lacks the columns {', '.join(missing)}", _RERUN)
    return table.select(schema.names).cast(schema).to_pandas()


def find_rendered(items: pd.DataFrame) -> "pd.Series[bool]":
    """Return which items were rendered by this program, for the demo: their source or generator begins with ``RENDERED_PREFIX``."""
    return items["source"].str.startswith(RENDERED_PREFIX) | items["generator"].str.startswith(RENDERED_PREFIX)


def compute_dataset_digest(splits: pd.DataFrame) -> str:
    """Return the digest of a dataset: the first 12 hex digits of a SHA-256 over its items, with label, split and repeat.

    It depends on nothing else: neither on paths, nor on the order of the rows, nor on when and where the dataset was made.
    """
    columns = splits[["media_id", "label", "split", "repeat"]].sort_values("media_id")
    rows = list(zip(*(columns[name].tolist() for name in columns), strict=True))
    return hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()[:12]


def compute_test_split_digest(splits: pd.DataFrame) -> str:
    """Return the 12 hex digits that identify a test split: a SHA-256 over the sorted ids of its items.

    Args:
        splits: the rows of ``splits.parquet``.
    """
    media_ids = sorted(splits.loc[splits["split"] == "test", "media_id"])
    return hashlib.sha256("\n".join(media_ids).encode()).hexdigest()[:12]
