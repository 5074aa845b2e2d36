"""A new dataset version leaves every item in the split in which the last one put it."""

from pathlib import Path

import pandas as pd
import pytest
from dataset_rows import media_id, quality_of, table, two_classes

from realframe.config import Balance, Split
from realframe.data import previous_split
from realframe.data.split import assign_splits

SPLIT = Split(val=0.2, test=0.2, near_duplicate_distance=2, min_per_class=1)
BALANCE = Balance(kinds=("image", "video"), method="none")
SEED = 7


def dealt_with(rows: list[dict[str, object]], before: pd.DataFrame | None = None, alike: tuple[str, ...] = ()) -> pd.DataFrame:
    hashes = {media_id(name): "00000000000000ff" for name in alike}
    return assign_splits(table(rows).assign(included=True, why=""), quality_of(rows, hashes), SPLIT, BALANCE, SEED, before)


def kept(path: Path, splits: pd.DataFrame, **changed: object) -> pd.DataFrame:
    previous_split.write(path, splits, SPLIT.model_dump(), SEED)
    return previous_split.read(path, SPLIT.model_copy(update=changed), SEED)


@pytest.fixture
def first() -> pd.DataFrame:
    return dealt_with(two_classes(15, 15))


def where(splits: pd.DataFrame) -> dict[str, str]:
    return dict(zip(splits["media_id"], splits["split"], strict=True))


def test_items_stay_where_they_were_when_others_come(first: pd.DataFrame, tmp_path: Path) -> None:
    more = dealt_with(two_classes(40, 25), kept(tmp_path / "previous_split.json", first))
    assert {item: where(more)[item] for item in where(first)} == where(first)
    assert set(where(dealt_with(two_classes(40, 25))).items()) - set(where(more).items())  # dealt anew, some would have moved
    assert set(more.groupby("split").size() > first.groupby("split").size()) == {True}


def test_known_items_are_not_compared_again(first: pd.DataFrame, tmp_path: Path) -> None:
    one, other = (first.loc[first["split"] == split, "media_id"].iloc[0] for split in ("train", "test"))
    names = _names(first)
    again = dealt_with(two_classes(15, 15), kept(tmp_path / "previous_split.json", first), alike=(names[one], names[other]))
    assert where(again) == where(first)


def test_a_new_item_that_joins_train_and_test_takes_both_to_train(first: pd.DataFrame, tmp_path: Path) -> None:
    names = _names(first)
    one, other = (first.loc[first["split"] == split, "media_id"].iloc[0] for split in ("train", "test"))
    both = dealt_with(two_classes(16, 15), kept(tmp_path / "previous_split.json", first), alike=("r15", names[one], names[other]))
    assert {where(both)[item] for item in (one, other, media_id("r15"))} == {"train"}


def test_other_shares_are_a_new_deal(first: pd.DataFrame, tmp_path: Path) -> None:
    assert len(kept(tmp_path / "previous_split.json", first)) == len(first)
    assert kept(tmp_path / "previous_split.json", first, test=0.4).empty
    (tmp_path / "none.json").write_text("{}")
    assert previous_split.read(tmp_path / "none.json", SPLIT, SEED).empty


def _names(splits: pd.DataFrame) -> dict[str, str]:
    return {media_id: Path(path).stem for media_id, path in zip(splits["media_id"], splits["path"], strict=True)}
