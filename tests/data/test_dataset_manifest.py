"""Tables on disk: fixed columns, equal content gives equal bytes and an equal version."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dataset_rows import table, two_classes
from hypothesis import given
from hypothesis import strategies as st

from realframe.data.manifest import BALANCED, MEDIA, SPLITS, dataset_version, read, write
from realframe.errors import DatasetError


def splits(rows: int = 6) -> pd.DataFrame:
    return table(two_classes(rows, rows)).assign(split="train", cluster="c", repeat=1, weight=1.0)


def test_what_is_written_is_read_sorted_with_the_columns_of_the_schema(tmp_path: Path) -> None:
    rows = table(two_classes(3, 2))
    for schema, frame in ((MEDIA, rows), (BALANCED, rows.assign(included=True, why="")), (SPLITS, splits())):
        write(frame.assign(extra=1), tmp_path / "t.parquet", schema)
        back = read(tmp_path / "t.parquet", schema)
        pd.testing.assert_frame_equal(back, frame.sort_values("media_id", ignore_index=True)[schema.names], check_dtype=False)


def test_equal_content_is_equal_bytes_in_any_order(tmp_path: Path) -> None:
    rows = table(two_classes(20, 20))
    write(rows, tmp_path / "a.parquet", MEDIA)
    write(rows.sample(frac=1, random_state=1).set_index("path", drop=False), tmp_path / "b.parquet", MEDIA)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["a.parquet", "b.parquet"]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda rows: rows.drop(columns="fps"), "fps"),
        (lambda rows: rows.assign(frames="many"), "frames|many"),
        (lambda rows: rows.assign(label=None), "empty cells in label"),
        (lambda rows: rows.assign(fps=np.nan), "empty cells in fps"),
        (lambda rows: pd.concat([rows, rows]), "twice"),
    ],
)
def test_a_table_that_does_not_fit_is_not_written(tmp_path: Path, spoil: object, why: str) -> None:
    with pytest.raises(DatasetError, match=why):
        write(spoil(table(two_classes(2, 2))), tmp_path / "t.parquet", MEDIA)  # type: ignore[operator]
    assert not list(tmp_path.iterdir())


def test_a_missing_table_or_column_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="realframe run"):
        read(tmp_path / "none.parquet", MEDIA)
    write(table(two_classes(1, 1)), tmp_path / "media.parquet", MEDIA)
    with pytest.raises(DatasetError, match="cluster, repeat, weight"):
        read(tmp_path / "media.parquet", SPLITS)


@given(st.randoms())
def test_the_version_names_the_content_and_nothing_else(random: object) -> None:
    rows = splits()
    version = dataset_version(rows)
    assert len(version) == 12 and int(version, 16) >= 0
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert dataset_version(rows.iloc[order].assign(path="elsewhere", cluster="other", weight=2.0)) == version
    for column, value in {"media_id": "0" * 64, "label": "fake", "split": "test", "repeat": 2}.items():
        changed = rows.copy()
        changed.loc[0, column] = value
        assert dataset_version(changed) != version
    assert dataset_version(rows.iloc[1:]) != version


def test_the_version_survives_the_disk(tmp_path: Path) -> None:
    write(splits(), tmp_path / "s.parquet", SPLITS)
    assert dataset_version(read(tmp_path / "s.parquet", SPLITS)) == dataset_version(splits())
