"""Test the writer of Parquet tables: equal rows give equal bytes, and what is written is what is read."""

import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.errors import DatasetError
from realframe.tables import write_table

SCHEMA = pa.schema({"name": pa.string(), "count": pa.int32(), "score": pa.float64(), "kept": pa.bool_(), "vector": pa.list_(pa.float32())})
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
            "count": st.integers(-(2**31), 2**31 - 1),
            "score": st.floats(allow_nan=False, allow_infinity=False),
            "kept": st.booleans(),
            "vector": st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=3),
        }
    ),
    max_size=30,
)


@settings(deadline=None)
@given(ROWS)
def test_equal_rows_give_equal_bytes_and_are_read_back(rows: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, other, third = (Path(folder) / f"{name}.parquet" for name in ("one", "other", "third"))
        write_table(iter(rows), one, SCHEMA)
        frame = pd.DataFrame([row | {"extra": 1} for row in rows], columns=["extra", *SCHEMA.names], index=range(5, 5 + len(rows)))
        write_table(frame, other, SCHEMA)
        write_table(pa.Table.from_pylist(rows, schema=SCHEMA).append_column("extra", pa.array([1] * len(rows))), third, SCHEMA)
        assert one.read_bytes() == other.read_bytes() == third.read_bytes()
        assert pq.read_table(one).to_pylist() == rows
        assert pq.read_schema(one).names == SCHEMA.names
        assert {path.name for path in Path(folder).iterdir()} == {"one.parquet", "other.parquet", "third.parquet"}


def test_missing_values_become_null(tmp_path: Path) -> None:
    write_table([{"name": "a"}], tmp_path / "rows.parquet", SCHEMA)
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == [
        {"name": "a", "count": None, "score": None, "kept": None, "vector": None}
    ]


@pytest.mark.parametrize("rows", [pd.DataFrame({"name": ["a"]}), [{"count": "many"}], [{"count": 2**40}]])
def test_rows_that_do_not_fit_the_schema_are_refused_and_nothing_is_written(rows: object, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"rows\.parquet"):
        write_table(rows, tmp_path / "rows.parquet", SCHEMA)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
