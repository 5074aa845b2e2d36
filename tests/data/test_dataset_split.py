"""Dealing items to train, val and test: nothing that belongs together crosses."""

from collections import Counter

import pandas as pd
import pytest
from dataset_rows import item, media_id, quality_of, table, two_classes
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from realframe.config import Balance, Split
from realframe.data.split import assign_splits, check
from realframe.errors import DatasetError, TooFewItemsError

ITEMS = st.lists(
    st.tuples(st.sampled_from(["real", "fake"]), st.sampled_from(["image", "video"]), st.integers(0, 12), st.integers(0, 30)),
    min_size=12,
    max_size=60,
)
METHODS = st.sampled_from(["undersample", "oversample", "class_weights", "none"])


def shares(val: float = 0.15, test: float = 0.2, distance: int = 4, least: int = 1) -> Split:
    return Split(val=val, test=test, near_duplicate_distance=distance, min_per_class=least)


def balance(method: str = "none") -> Balance:
    return Balance.model_validate({"kinds": ("image", "video"), "method": method})


def dealt(rows: list[dict[str, object]], split: Split | None = None, method: str = "none", seed: int = 0, **hashes: str) -> pd.DataFrame:
    quality = quality_of(rows, {media_id(name): text for name, text in hashes.items()})
    return assign_splits(table(rows).assign(included=True, why=""), quality, split or shares(), balance(method), seed)


@given(ITEMS, METHODS, st.integers(0, 3), st.randoms())
@settings(max_examples=40)
def test_nothing_crosses_and_nothing_depends_on_order(
    facts: list[tuple[str, str, int, int]], method: str, seed: int, random: object
) -> None:
    rows = [item(at, label, kind=kind, group=f"g{group}" if group else "") for at, (label, kind, group, _) in enumerate(facts)]
    quality = quality_of(rows, {media_id(at): f"{(1 << bits) - 1:016x}" for at, (*_, bits) in enumerate(facts) if bits < 12})
    balanced = table(rows).assign(included=[at % 7 != 0 for at in range(len(rows))], why="")
    try:
        splits = assign_splits(balanced, quality, shares(distance=1), balance(method), seed)
    except TooFewItemsError:
        assume(False)
    assert sorted(splits["media_id"]) == sorted(balanced.loc[balanced["included"], "media_id"])
    assert set(splits["split"]) == {"train", "val", "test"} and set(splits.groupby("split")["label"].nunique()) == {2}

    where = splits.set_index("media_id")["split"]
    bits_of = {media_id(at): (group, bits) for at, (*_, group, bits) in enumerate(facts)}
    for one in where.index:  # counted from the facts alone, not from the clusters
        for other in where.index:
            (group, bits), (its_group, its_bits) = bits_of[one], bits_of[other]
            if (group and group == its_group) or (bits < 12 and its_bits < 12 and abs(bits - its_bits) <= 1):
                assert where[one] == where[other]

    outside = splits[splits["split"] != "train"]
    assert (outside["repeat"] == 1).all() and (outside["weight"] == 1).all()
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    again = assign_splits(balanced.iloc[order], quality.iloc[order], shares(distance=1), balance(method), seed)
    pd.testing.assert_frame_equal(splits, again)


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_kept_in_each_class_kind_and_generator(seed: int) -> None:
    rows = two_classes(100, 60) + [item(f"i{at}", "real", kind="image") for at in range(40)]
    rows += [item(f"{name}{at}", "fake", generator=name) for name in ("sora", "pika") for at in range(20)]
    splits = dealt(rows, seed=seed)
    for columns, slack in ((["label"], 1), (["label", "kind"], 1), (["label", "kind", "generator"], 2)):
        for _, stratum in splits.groupby(columns):
            counts = Counter(stratum["split"])
            assert abs(counts["val"] - 0.15 * len(stratum)) <= slack and abs(counts["test"] - 0.2 * len(stratum)) <= slack


def test_shares_are_as_near_as_clusters_allow() -> None:
    rows = [item(f"{label}{at}", label, group=f"g{at % 12}") for label in ("real", "fake") for at in range(120)]
    counts = Counter(dealt(rows)["split"])  # 12 clusters of 20
    assert counts == {"train": 160, "val": 40, "test": 40}


def test_the_seed_deals_anew() -> None:
    rows = two_classes(30, 30)
    assert dealt(rows, seed=1)["split"].tolist() != dealt(rows, seed=2)["split"].tolist()


def test_near_duplicates_of_both_labels_stay_together() -> None:
    rows = two_classes(20, 20)
    splits = dealt(rows, r0="0" * 16, f0=f"{3:016x}").set_index("media_id")
    assert splits.loc[media_id("r0"), "split"] == splits.loc[media_id("f0"), "split"]
    assert splits.loc[media_id("r0"), "cluster"] == min(media_id("r0"), media_id("f0"))


def test_a_given_split_is_kept_and_its_cluster_follows() -> None:
    rows = two_classes(30, 30)
    given_ = {"r0": "test", "r1": "test", "f0": "test", "f1": "val", "r2": "val", "f3": "train"}
    rows = [row | {"split": given_.get(str(row["path"])[5:-4], "")} for row in rows]
    rows += [item("edit", "fake", group="g"), item("origin", "real", group="g", split="test")]
    where = dealt(rows).set_index("media_id")["split"]
    assert {name: where[media_id(name)] for name in given_} == given_
    assert where[media_id("edit")] == "test"
    assert 0.1 < (where == "test").mean() < 0.3


def test_a_wholly_given_split_is_kept_whole() -> None:
    rows = [row | {"split": ("train", "val", "test")[at % 3]} for at, row in enumerate(two_classes(12, 12))]
    splits = dealt(rows)
    assert splits.set_index("media_id")["split"].to_dict() == {row["media_id"]: row["split"] for row in rows}


def test_val_is_dealt_out_of_train_where_only_train_and_test_are_given() -> None:
    rows = [row | {"split": "test" if at % 4 == 0 else "train"} for at, row in enumerate(two_classes(40, 40))]
    where = dealt(rows).set_index("media_id")["split"]
    assert all((where[str(row["media_id"])] == "test") == (row["split"] == "test") for row in rows)
    assert Counter(where)["val"] in range(9, 16)


@pytest.mark.parametrize("by", ["group", "picture"])
def test_a_cluster_given_to_two_splits_stops_with_both_paths(by: str) -> None:
    rows = [*two_classes(9, 9), item("one", "real", split="train"), item("two", "fake", split="test")]
    if by == "group":
        rows = [row | {"group": "g"} if row["split"] else row for row in rows]
    with pytest.raises(DatasetError, match=r"(one|two)\.mp4 and .*(one|two)\.mp4: are given to (train and test|test and train)"):
        dealt(rows, **({"one": "0" * 16, "two": "0" * 16} if by == "picture" else {}))


def test_oversampling_and_weights_touch_train_only() -> None:
    rows = two_classes(40, 10)
    for method, column in (("oversample", "repeat"), ("class_weights", "weight")):
        splits = dealt(rows, method=method)
        train = splits[splits["split"] == "train"]
        shown = train.groupby("label")[column].sum()
        assert shown["real"] == pytest.approx(shown["fake"]) and train[column].max() > 1
        assert (splits.loc[splits["split"] != "train", ["repeat", "weight"]] == 1).all(axis=None)
        plain = dealt(rows)
        assert splits["split"].tolist() == plain["split"].tolist() and (plain[["repeat", "weight"]] == 1).all(axis=None)


@pytest.mark.parametrize("label", ["real", "fake"])
def test_a_missing_class_says_which_folder_to_fill(label: str) -> None:
    rows = two_classes(10, 0) if label == "fake" else two_classes(0, 10)
    with pytest.raises(TooFewItemsError, match=f"class {label}.*folder named {label}/.*--label {label}"):
        dealt(rows)
    balanced = table(two_classes(5, 5))
    left_out = balanced.assign(included=balanced["label"] != label, why=balanced["label"].map({label: "no-frame"}).fillna(""))
    with pytest.raises(TooFewItemsError, match=r"5 left out \(no-frame\)"):
        assign_splits(left_out, quality_of(two_classes(5, 5)), shares(), balance(), 0)


def test_the_least_per_class_is_reached_where_it_can_be_and_told_where_not() -> None:
    splits = dealt(two_classes(6, 50), shares(least=2))
    assert set(splits[splits["label"] == "real"]["split"].value_counts()) == {2}  # by shares test would have 1
    with pytest.raises(TooFewItemsError, match=r"needs 2 items in each of train, val and test; real has 5 items in 5 independent sets"):
        dealt(two_classes(5, 50), shares(least=2))
    rows = [row | {"group": "one"} if row["label"] == "fake" else row for row in two_classes(20, 20)]
    with pytest.raises(TooFewItemsError, match=r"fake has 20 items in 1 independent sets.*Add fake items"):
        dealt(rows)


@pytest.mark.parametrize("column", ["cluster", "group", "repeat", "weight"])
def test_check_finds_what_crosses(column: str) -> None:
    splits = dealt(two_classes(10, 10))
    check(splits)
    changed = splits.copy()
    test = splits.index[splits["split"] == "test"][0]
    train = splits.index[splits["split"] == "train"][0]
    changed.loc[[test, train], column] = "same" if column in ("cluster", "group") else 2
    with pytest.raises(DatasetError):
        check(changed)
