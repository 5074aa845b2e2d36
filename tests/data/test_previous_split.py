"""The previous split: a new dataset version leaves every item in its split."""

from pathlib import Path

import pandas as pd
import pytest

from realframe.config import BalanceParams, SplitParams
from realframe.data import previous_split
from realframe.data.split import assign_splits
from tests.data.dataset_rows import make_quality, make_table, make_two_classes, media_id

SPLIT = SplitParams(val=0.2, test=0.2, near_duplicate_distance=2, min_per_class=1)
BALANCE = BalanceParams(kinds=("image", "video"), method="none")
SEED = 7


def split_rows(rows: list[dict[str, object]], before: pd.DataFrame | None = None, alike: tuple[str, ...] = ()) -> pd.DataFrame:
    hashes = {media_id(name): "00000000000000ff" for name in alike}
    return assign_splits(
        make_table(rows).assign(included=True, exclusion_reason=""), make_quality(rows, hashes), SPLIT, BALANCE, SEED, before
    )


def write_and_read(path: Path, splits: pd.DataFrame, **changed: object) -> pd.DataFrame:
    previous_split.write(path, splits, SPLIT.model_dump(), SEED)
    return previous_split.read(path, SPLIT.model_copy(update=changed), SEED)


@pytest.fixture
def first() -> pd.DataFrame:
    return split_rows(make_two_classes(15, 15))


def split_by_id(splits: pd.DataFrame) -> dict[str, str]:
    return dict(zip(splits["media_id"], splits["split"], strict=True))


def test_items_keep_their_split_when_others_are_added(first: pd.DataFrame, tmp_path: Path) -> None:
    more = split_rows(make_two_classes(40, 25), write_and_read(tmp_path / "previous_split.json", first))
    assert {item: split_by_id(more)[item] for item in split_by_id(first)} == split_by_id(first)
    assert set(split_by_id(split_rows(make_two_classes(40, 25))).items()) - set(
        split_by_id(more).items()
    )  # without the previous split some would have moved
    assert set(more.groupby("split").size() > first.groupby("split").size()) == {True}


def test_known_items_are_not_compared_again(first: pd.DataFrame, tmp_path: Path) -> None:
    one, other = (first.loc[first["split"] == split, "media_id"].iloc[0] for split in ("train", "test"))
    names = _names(first)
    second = split_rows(make_two_classes(15, 15), write_and_read(tmp_path / "previous_split.json", first), alike=(names[one], names[other]))
    assert split_by_id(second) == split_by_id(first)


def test_a_new_item_that_links_train_and_test_moves_both_to_train(first: pd.DataFrame, tmp_path: Path) -> None:
    names = _names(first)
    one, other = (first.loc[first["split"] == split, "media_id"].iloc[0] for split in ("train", "test"))
    both = split_rows(
        make_two_classes(16, 15), write_and_read(tmp_path / "previous_split.json", first), alike=("r15", names[one], names[other])
    )
    assert {split_by_id(both)[item] for item in (one, other, media_id("r15"))} == {"train"}


def test_other_shares_cause_a_new_split(first: pd.DataFrame, tmp_path: Path) -> None:
    assert len(write_and_read(tmp_path / "previous_split.json", first)) == len(first)
    assert write_and_read(tmp_path / "previous_split.json", first, test=0.4).empty
    (tmp_path / "none.json").write_text("{}")
    assert previous_split.read(tmp_path / "none.json", SPLIT, SEED).empty


def _names(splits: pd.DataFrame) -> dict[str, str]:
    return {media_id: Path(path).stem for media_id, path in zip(splits["media_id"], splits["path"], strict=True)}
