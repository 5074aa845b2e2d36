"""Manifests: fixed columns; equal content gives equal bytes and an equal version."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.data.manifest import BALANCED_SCHEMA, MEDIA_SCHEMA, SPLITS_SCHEMA, compute_dataset_digest, read, write
from realframe.errors import DatasetError
from tests.data.dataset_rows import make_table, make_two_classes


def make_splits(rows: int = 6) -> pd.DataFrame:
    return make_table(make_two_classes(rows, rows)).assign(split="train", cluster="c", repeat=1, weight=1.0)


def test_a_table_is_read_back_sorted_with_the_columns_of_the_schema(tmp_path: Path) -> None:
    rows = make_table(make_two_classes(3, 2))
    for schema, frame in (
        (MEDIA_SCHEMA, rows),
        (BALANCED_SCHEMA, rows.assign(included=True, exclusion_reason="")),
        (SPLITS_SCHEMA, make_splits()),
    ):
        write(frame.assign(extra=1), tmp_path / "t.parquet", schema)
        back = read(tmp_path / "t.parquet", schema)
        pd.testing.assert_frame_equal(back, frame.sort_values("media_id", ignore_index=True)[schema.names], check_dtype=False)


def test_equal_content_gives_equal_bytes_in_any_order(tmp_path: Path) -> None:
    rows = make_table(make_two_classes(20, 20))
    write(rows, tmp_path / "a.parquet", MEDIA_SCHEMA)
    write(rows.sample(frac=1, random_state=1).set_index("path", drop=False), tmp_path / "b.parquet", MEDIA_SCHEMA)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda rows: rows.drop(columns="fps"), "fps"),
        (lambda rows: rows.assign(frames="many"), "frames|many"),
        (lambda rows: rows.assign(label=None), "empty cells in label"),
        (lambda rows: rows.assign(fps=np.nan), "empty cells in fps"),
        (lambda rows: pd.concat([rows, rows]), "twice"),
    ],
)
def test_a_table_that_does_not_fit_its_schema_is_not_written(tmp_path: Path, spoil: object, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        write(spoil(make_table(make_two_classes(2, 2))), tmp_path / "t.parquet", MEDIA_SCHEMA)  # type: ignore[operator]
    assert not list(tmp_path.iterdir())


def test_a_missing_table_or_column_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="realframe run"):
        read(tmp_path / "none.parquet", MEDIA_SCHEMA)
    write(make_table(make_two_classes(1, 1)), tmp_path / "media.parquet", MEDIA_SCHEMA)
    with pytest.raises(DatasetError, match="cluster, repeat, weight"):
        read(tmp_path / "media.parquet", SPLITS_SCHEMA)


@given(st.randoms())
def test_the_version_depends_on_the_content_alone(random: object) -> None:
    rows = make_splits()
    version = compute_dataset_digest(rows)
    assert len(version) == 12 and int(version, 16) >= 0
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert compute_dataset_digest(rows.iloc[order].assign(path="elsewhere", cluster="other", weight=2.0)) == version
    for column, value in {"media_id": "0" * 64, "label": "fake", "split": "test", "repeat": 2}.items():
        changed = rows.copy()
        changed.loc[0, column] = value
        assert compute_dataset_digest(changed) != version
    assert compute_dataset_digest(rows.iloc[1:]) != version


def test_the_version_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    write(make_splits(), tmp_path / "s.parquet", SPLITS_SCHEMA)
    assert compute_dataset_digest(read(tmp_path / "s.parquet", SPLITS_SCHEMA)) == compute_dataset_digest(make_splits())
