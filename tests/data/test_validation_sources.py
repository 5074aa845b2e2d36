"""Where there are enough sources, the validation split consists of whole sources: what is tuned on it is tuned on unseen sources."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.config import BalanceParams
from realframe.data import source_groups
from realframe.data.source_groups import choose_validation_sources, list_kinds_validated_on_other_sources
from realframe.data.split import assign_splits, renew_validation
from tests.data.dataset_rows import make_item, make_quality, make_table
from tests.data.test_split import split_params

BALANCE = BalanceParams(kinds=("image", "video"), method="none")
Rows = list[dict[str, object]]


def make_source(name: str, label: str, count: int, **facts: str) -> Rows:
    return [make_item(f"{name}-{label}-{facts.get('kind', 'video')}-{at}", label, source=name, **facts) for at in range(count)]


def make_sources(real: int, fake: int, count: int = 12, kind: str = "image") -> Rows:
    sources = [(f"real {at}", "real") for at in range(real)] + [(f"fake {at}", "fake") for at in range(fake)]
    return [row for name, label in sources for row in make_source(name, label, count, kind=kind)]


def split_rows(rows: Rows, previous: pd.DataFrame | None = None, seed: int = 0) -> pd.DataFrame:
    table = make_table(rows).assign(included=True, exclusion_reason="")
    return assign_splits(table, make_quality(rows), split_params(), BALANCE, seed, previous)


def list_sources(splits: pd.DataFrame, *names: str) -> set[str]:
    return set(source_groups.name_sources(splits[splits["split"].isin(names)]))


def test_validation_takes_whole_sources_of_both_classes() -> None:
    splits = split_rows(make_sources(6, 6))
    assert not list_sources(splits, "val") & list_sources(splits, "train", "test")
    val = splits[splits["split"] == "val"]
    assert set(val["label"]) == {"real", "fake"}
    assert 0.075 <= len(val) / len(splits) <= 0.3
    assert list_kinds_validated_on_other_sources(splits) == ["image"]


@given(st.lists(st.tuples(st.integers(1, 25), st.booleans(), st.booleans()), min_size=3, max_size=16), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_the_chosen_sources_are_whole_and_of_about_the_wanted_size(sources: list[tuple[int, bool, bool]], links: int) -> None:
    rows = [
        row
        for number, (count, has_real, has_fake) in enumerate(sources)
        for label, is_there in (("real", has_real), ("fake", has_fake or not has_real))
        for row in make_source(f"s{number}", label, count if is_there else 0, kind="image")
    ]
    items = make_table(rows).assign(cluster=[row["media_id"] for row in rows])
    items.loc[items.groupby("source").head(1).index[:links], "cluster"] = "shared by several sources"
    chosen = choose_validation_sources(items, 0.15)
    if source_groups.describe_shortage(items, "image"):
        assert not chosen.any()
    for column in ("source", "cluster"):
        assert not set(items.loc[chosen, column]) & set(items.loc[~chosen, column])
    for label in ("real", "fake") if chosen.any() else ():
        assert 0.075 <= chosen[items["label"] == label].mean() <= 0.3
    shuffled = items.sample(frac=1, random_state=links)
    assert choose_validation_sources(shuffled, 0.15).sort_index().equals(chosen)


def test_with_too_few_sources_validation_has_items_of_all() -> None:
    splits = split_rows(make_sources(2, 6))
    assert list_sources(splits, "val") == list_sources(splits, "train")
    assert list_kinds_validated_on_other_sources(splits) == []


def test_one_source_that_is_nearly_everything_stays_in_training() -> None:
    """Whole sources would leave too little on one side."""
    lab = [row for label in ("real", "fake") for row in make_source("lab", label, 80, kind="image")]
    splits = split_rows([*make_sources(3, 3, count=1), *lab])
    assert "lab" in list_sources(splits, "train") & list_sources(splits, "val")


def test_a_kind_without_enough_sources_is_split_by_cluster_beside_one_that_has_them() -> None:
    splits = split_rows([*make_sources(5, 5), *make_sources(1, 2, count=20, kind="video")])
    assert list_kinds_validated_on_other_sources(splits) == ["image"]
    videos = splits[splits["kind"] == "video"]
    assert list_sources(videos, "val") == list_sources(videos, "train") == list_sources(videos, "test")


def test_a_later_version_keeps_the_sources_of_validation() -> None:
    rows = make_sources(6, 6)
    before = split_rows(rows)
    previous = before.set_index("media_id")[["split", "cluster"]]
    known, new = sorted(list_sources(before, "val")), make_source("new", "fake", 30, kind="image")
    label = "real" if known[0].startswith("real") else "fake"
    more = [make_item(f"more {at}", label, source=known[0], kind="image") for at in range(5)]
    after = split_rows([*rows, *new, *more], previous).set_index("media_id")["split"]
    assert (after[previous.index] == previous["split"]).all()
    assert {after[str(row["media_id"])] for row in more} == {"val"}
    assert {after[str(row["media_id"])] for row in new} == {"train", "test"}


@pytest.mark.parametrize(("real", "by_source"), [(7, ["image"]), (2, [])])
def test_validation_is_renewed_where_its_sources_are_left_out(real: int, by_source: list[str]) -> None:
    planned = split_rows(make_sources(7, 7))
    kept = {f"real {at}" for at in range(7)} - list_sources(planned, "val")
    kept = set(sorted(kept)[:real]) | {f"fake {at}" for at in range(7)} - list_sources(planned, "val")
    remaining = planned[planned["source"].isin(kept) & (planned["split"] == "train")]
    renewed = renew_validation(remaining, planned, 0)
    assert sorted(renewed["media_id"]) == sorted(remaining["media_id"])
    assert set(renewed.loc[renewed["split"] == "val", "label"]) == {"real", "fake"}
    assert 0.05 <= (renewed["split"] == "val").mean() <= 0.35
    assert list_kinds_validated_on_other_sources(renewed) == by_source
    pd.testing.assert_frame_equal(renewed, renew_validation(remaining.sample(frac=1, random_state=1), planned, 0))


def test_validation_is_kept_where_it_still_has_all_classes() -> None:
    planned = split_rows(make_sources(7, 7))
    remaining = planned[planned["split"] != "test"]
    assert renew_validation(remaining, planned, 0) is remaining
