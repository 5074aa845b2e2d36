"""Balance: undersampling, repeats and class weights make the classes count the same."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realframe.config import BalanceParams
from realframe.data.balance import compute_class_weights, compute_repeats, select_items
from tests.data.dataset_rows import make_item, make_quality, make_table, make_two_classes, media_id

ROWS = st.lists(
    st.tuples(st.sampled_from(["real", "fake"]), st.sampled_from(["image", "video"]), st.sampled_from("abc"), st.booleans()), max_size=40
)
LABELS = st.lists(st.sampled_from(["real", "fake"]), min_size=1, max_size=60)


def balance_params(method: str = "none", kinds: tuple[str, ...] = ("image", "video")) -> BalanceParams:
    return BalanceParams.model_validate({"kinds": kinds, "method": method})


def make_tables(facts: list[tuple[str, str, str, bool]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [make_item(index, label, kind=kind, generator=generator) for index, (label, kind, generator, _) in enumerate(facts)]
    return make_table(rows), make_quality([row for row, (*_, kept) in zip(rows, facts, strict=True) if kept])


def test_excluded_items_have_a_reason() -> None:
    rows = [make_item("a", "real"), make_item("b", "real", kind="image"), make_item("c", "fake"), make_item("d", "fake")]
    quality = make_quality(rows)
    quality.loc[quality["media_id"] == media_id("c"), "is_kept"] = False
    selected = select_items(make_table(rows), quality.iloc[:3], balance_params(kinds=("video",)), 1).set_index("path")
    assert selected["exclusion_reason"].to_dict() == {
        "real/a.mp4": "",
        "real/b.mp4": "kind",
        "fake/c.mp4": "no-frame",
        "fake/d.mp4": "no-frame",
    }
    assert selected["included"].tolist() == [not reason for reason in selected["exclusion_reason"]]


@pytest.mark.slow
@given(ROWS, st.integers(0, 5), st.randoms())
def test_undersampling_makes_the_classes_equal_in_any_order(facts: list[tuple[str, str, str, bool]], seed: int, random: object) -> None:
    media, quality = make_tables(facts)
    selected = select_items(media, quality, balance_params("undersample"), seed)
    assert sorted(selected["media_id"]) == sorted(media["media_id"])  # no item is lost
    usable = Counter(label for label, *_, kept in facts if kept)
    included_counts = Counter(selected.loc[selected["included"], "label"])
    assert included_counts == ({label: min(usable.values()) for label in usable} if len(usable) == 2 else usable)
    order = list(range(len(media)))
    random.shuffle(order)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(selected, select_items(media.iloc[order], quality.iloc[::-1], balance_params("undersample"), seed))


def test_undersampling_keeps_small_generators_whole() -> None:
    rows = make_two_classes(20, 0) + [make_item(f"big{index}", "fake", generator="big") for index in range(40)]
    rows += [make_item(f"small{index}", "fake", generator="small") for index in range(5)]
    selected = select_items(make_table(rows), make_quality(rows), balance_params("undersample"), 0)
    assert Counter(selected.loc[selected["included"] & (selected["label"] == "fake"), "generator"]) == {"big": 15, "small": 5}


def test_undersampling_takes_from_the_kind_with_the_greatest_excess() -> None:
    rows = [make_item(f"ri{index}", "real", kind="image") for index in range(20)] + [make_item(f"rv{index}", "real") for index in range(5)]
    rows += [make_item(f"fi{index}", "fake", kind="image") for index in range(15)] + [
        make_item(f"fv{index}", "fake") for index in range(20)
    ]
    selected = select_items(make_table(rows), make_quality(rows), balance_params("undersample"), 0)
    included_counts = Counter(zip(selected["kind"][selected["included"]], selected["label"][selected["included"]], strict=True))
    assert included_counts == {("image", "real"): 20, ("video", "real"): 5, ("image", "fake"): 15, ("video", "fake"): 10}


def test_the_seed_decides_and_the_other_methods_include_all_items() -> None:
    rows = make_two_classes(5, 30)
    chosen = [
        frozenset(select_items(make_table(rows), make_quality(rows), balance_params("undersample"), seed).query("included")["media_id"])
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    for method in ("oversample", "class_weights", "none"):
        assert select_items(make_table(rows), make_quality(rows), balance_params(method), 0)["included"].all()


@given(LABELS, st.integers(0, 3))
def test_repeats_make_the_classes_equal_and_are_spread_evenly(labels: list[str], seed: int) -> None:
    names = [media_id(index) for index in range(len(labels))]
    repeats = compute_repeats(names, labels, seed)
    totals = Counter(dict.fromkeys(labels, 0))
    for label, repeat in zip(labels, repeats.tolist(), strict=True):
        totals[label] += repeat
    assert repeats.min() >= 1 and set(totals.values()) == {max(Counter(labels).values())}
    for label in set(labels):
        class_repeats = repeats[np.array(labels) == label]
        assert class_repeats.max() - class_repeats.min() <= 1
    reversed_repeats = compute_repeats(names[::-1], labels[::-1], seed)
    assert (reversed_repeats[::-1] == repeats).all()


@given(LABELS)
def test_weights_make_the_classes_equal_and_have_mean_one(labels: list[str]) -> None:
    weights = compute_class_weights(labels)
    sums = [weights[np.array(labels) == label].sum() for label in set(labels)]
    assert np.allclose(sums, sums[0]) and weights.mean() == pytest.approx(1)
