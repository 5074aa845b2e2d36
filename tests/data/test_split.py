"""The split: items that belong together stay in one split, and the shares hold."""

from collections import Counter

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from realframe.config import BalanceParams, SplitParams
from realframe.data.split import assign_splits, check_splits
from realframe.errors import DatasetError, TooFewItemsError
from tests.data.dataset_rows import make_item, make_quality, make_table, make_two_classes, media_id

ITEMS = st.lists(
    st.tuples(st.sampled_from(["real", "fake"]), st.sampled_from(["image", "video"]), st.integers(0, 12), st.integers(0, 30)),
    min_size=12,
    max_size=60,
)
METHODS = st.sampled_from(["undersample", "oversample", "class_weights", "none"])


def split_params(val: float = 0.15, test: float = 0.2, distance: int = 4, least: int = 1) -> SplitParams:
    return SplitParams(val=val, test=test, near_duplicate_distance=distance, min_per_class=least)


def balance_params(method: str = "none") -> BalanceParams:
    return BalanceParams.model_validate({"kinds": ("image", "video"), "method": method})


def split_rows(
    rows: list[dict[str, object]], split: SplitParams | None = None, method: str = "none", seed: int = 0, **hashes: str
) -> pd.DataFrame:
    quality = make_quality(rows, {media_id(name): text for name, text in hashes.items()})
    return assign_splits(
        make_table(rows).assign(included=True, exclusion_reason=""), quality, split or split_params(), balance_params(method), seed
    )


@pytest.mark.slow
@given(ITEMS, METHODS, st.integers(0, 3), st.randoms())
@settings(max_examples=40)
def test_no_cluster_spans_splits_and_the_order_does_not_matter(
    facts: list[tuple[str, str, int, int]], method: str, seed: int, random: object
) -> None:
    rows = [make_item(index, label, kind=kind, group=f"g{group}" if group else "") for index, (label, kind, group, _) in enumerate(facts)]
    quality = make_quality(rows, {media_id(index): f"{(1 << bits) - 1:016x}" for index, (*_, bits) in enumerate(facts) if bits < 12})
    balanced = make_table(rows).assign(included=[index % 7 != 0 for index in range(len(rows))], exclusion_reason="")
    try:
        splits = assign_splits(balanced, quality, split_params(distance=1), balance_params(method), seed)
    except TooFewItemsError:
        assume(False)
    assert sorted(splits["media_id"]) == sorted(balanced.loc[balanced["included"], "media_id"])
    assert set(splits["split"]) == {"train", "val", "test"} and set(splits.groupby("split")["label"].nunique()) == {2}

    where = splits.set_index("media_id")["split"]
    bits_of = {media_id(index): (group, bits) for index, (*_, group, bits) in enumerate(facts)}
    for one in where.index:  # derived from the facts alone, not from the clusters
        for other in where.index:
            (group, bits), (its_group, its_bits) = bits_of[one], bits_of[other]
            if (group and group == its_group) or (bits < 12 and its_bits < 12 and abs(bits - its_bits) <= 1):
                assert where[one] == where[other]

    outside = splits[splits["split"] != "train"]
    assert (outside["repeat"] == 1).all() and (outside["weight"] == 1).all()
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = assign_splits(balanced.iloc[order], quality.iloc[order], split_params(distance=1), balance_params(method), seed)
    pd.testing.assert_frame_equal(splits, shuffled)


@pytest.mark.parametrize("seed", range(5))
def test_shares_hold_in_each_class_kind_and_generator(seed: int) -> None:
    rows = make_two_classes(100, 60) + [make_item(f"i{at}", "real", kind="image") for at in range(40)]
    rows += [make_item(f"{name}{at}", "fake", generator=name) for name in ("sora", "pika") for at in range(20)]
    splits = split_rows(rows, seed=seed)
    for columns, slack in ((["label"], 1), (["label", "kind"], 1), (["label", "kind", "generator"], 2)):
        for _, stratum in splits.groupby(columns):
            counts = Counter(stratum["split"])
            assert abs(counts["val"] - 0.15 * len(stratum)) <= slack and abs(counts["test"] - 0.2 * len(stratum)) <= slack


def test_shares_are_as_near_as_clusters_allow() -> None:
    rows = [make_item(f"{label}{at}", label, group=f"g{at % 12}") for label in ("real", "fake") for at in range(120)]
    counts = Counter(split_rows(rows)["split"])  # 12 clusters of 20
    assert counts == {"train": 160, "val": 40, "test": 40}


def test_another_seed_gives_another_split() -> None:
    rows = make_two_classes(30, 30)
    assert split_rows(rows, seed=1)["split"].tolist() != split_rows(rows, seed=2)["split"].tolist()


def test_near_duplicates_of_both_labels_stay_together() -> None:
    rows = make_two_classes(20, 20)
    splits = split_rows(rows, r0="0" * 16, f0=f"{3:016x}").set_index("media_id")
    assert splits.loc[media_id("r0"), "split"] == splits.loc[media_id("f0"), "split"]
    assert splits.loc[media_id("r0"), "cluster"] == min(media_id("r0"), media_id("f0"))


def test_an_assigned_split_is_kept_and_its_cluster_follows() -> None:
    rows = make_two_classes(30, 30)
    assigned = {"r0": "test", "r1": "test", "f0": "test", "f1": "val", "r2": "val", "f3": "train"}
    rows = [row | {"split": assigned.get(str(row["path"])[5:-4], "")} for row in rows]
    rows += [make_item("edit", "fake", group="g"), make_item("origin", "real", group="g", split="test")]
    where = split_rows(rows).set_index("media_id")["split"]
    assert {name: where[media_id(name)] for name in assigned} == assigned
    assert where[media_id("edit")] == "test"
    assert 0.1 < (where == "test").mean() < 0.3


def test_a_complete_assigned_split_is_kept() -> None:
    rows = [row | {"split": ("train", "val", "test")[at % 3]} for at, row in enumerate(make_two_classes(12, 12))]
    splits = split_rows(rows)
    assert splits.set_index("media_id")["split"].to_dict() == {row["media_id"]: row["split"] for row in rows}


def test_val_is_taken_from_train_where_only_train_and_test_are_assigned() -> None:
    rows = [row | {"split": "test" if at % 4 == 0 else "train"} for at, row in enumerate(make_two_classes(40, 40))]
    where = split_rows(rows).set_index("media_id")["split"]
    assert all((where[str(row["media_id"])] == "test") == (row["split"] == "test") for row in rows)
    assert Counter(where)["val"] in range(9, 16)


@pytest.mark.parametrize("by", ["group", "picture"])
def test_a_cluster_assigned_to_two_splits_is_an_error_that_names_both_paths(by: str) -> None:
    rows = [*make_two_classes(9, 9), make_item("one", "real", split="train"), make_item("two", "fake", split="test")]
    if by == "group":
        rows = [row | {"group": "g"} if row["split"] else row for row in rows]
    with pytest.raises(DatasetError, match=r"(one|two)\.mp4 and .*(one|two)\.mp4: are assigned to (train and test|test and train)"):
        split_rows(rows, **({"one": "0" * 16, "two": "0" * 16} if by == "picture" else {}))


def test_oversampling_and_class_weights_change_train_only() -> None:
    rows = make_two_classes(40, 10)
    for method, column in (("oversample", "repeat"), ("class_weights", "weight")):
        splits = split_rows(rows, method=method)
        train = splits[splits["split"] == "train"]
        totals = train.groupby("label")[column].sum()
        assert totals["real"] == pytest.approx(totals["fake"]) and train[column].max() > 1
        assert (splits.loc[splits["split"] != "train", ["repeat", "weight"]] == 1).all(axis=None)
        plain = split_rows(rows)
        assert splits["split"].tolist() == plain["split"].tolist() and (plain[["repeat", "weight"]] == 1).all(axis=None)


@pytest.mark.parametrize("label", ["real", "fake"])
def test_a_missing_class_is_an_error_that_names_its_folder(label: str) -> None:
    rows = make_two_classes(10, 0) if label == "fake" else make_two_classes(0, 10)
    with pytest.raises(TooFewItemsError, match=f"class {label}.*folder named {label}/.*--label {label}"):
        split_rows(rows)
    balanced = make_table(make_two_classes(5, 5))
    excluded = balanced.assign(included=balanced["label"] != label, exclusion_reason=balanced["label"].map({label: "no-frame"}).fillna(""))
    with pytest.raises(TooFewItemsError, match=r"5 left out \(no-frame\)"):
        assign_splits(excluded, make_quality(make_two_classes(5, 5)), split_params(), balance_params(), 0)


def test_the_least_items_per_class_are_reached_or_it_is_an_error() -> None:
    splits = split_rows(make_two_classes(6, 50), split_params(least=2))
    assert set(splits[splits["label"] == "real"]["split"].value_counts()) == {2}  # by shares test would have 1
    with pytest.raises(TooFewItemsError, match=r"needs 2 items in each of train, val and test; real has 5 items in 5 independent sets"):
        split_rows(make_two_classes(5, 50), split_params(least=2))
    rows = [row | {"group": "one"} if row["label"] == "fake" else row for row in make_two_classes(20, 20)]
    with pytest.raises(TooFewItemsError, match=r"fake has 20 items in 1 independent sets.*Add fake items"):
        split_rows(rows)


@pytest.mark.parametrize("column", ["cluster", "group", "repeat", "weight"])
def test_check_splits_finds_violations(column: str) -> None:
    splits = split_rows(make_two_classes(10, 10))
    check_splits(splits)
    changed = splits.copy()
    test = splits.index[splits["split"] == "test"][0]
    train = splits.index[splits["split"] == "train"][0]
    changed.loc[[test, train], column] = "same" if column in ("cluster", "group") else 2
    with pytest.raises(DatasetError):
        check_splits(changed)


def test_a_group_among_several_may_not_be_in_two_splits() -> None:
    splits = split_rows(make_two_classes(10, 10))
    test = splits.index[splits["split"] == "test"][0]
    train = splits.index[splits["split"] == "train"][0]
    splits.loc[[test, train], "group"] = ["id3|id7", "id7|id9"]
    with pytest.raises(DatasetError, match=r"group id7.*is in two splits"):
        check_splits(splits)
