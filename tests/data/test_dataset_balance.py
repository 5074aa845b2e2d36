"""Choosing items so that neither class outweighs the other."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from dataset_rows import item, media_id, quality_of, table, two_classes
from hypothesis import given
from hypothesis import strategies as st

from realframe.config import Balance
from realframe.data.balance import choose, train_repeats, train_weights

ROWS = st.lists(
    st.tuples(st.sampled_from(["real", "fake"]), st.sampled_from(["image", "video"]), st.sampled_from("abc"), st.booleans()), max_size=40
)
LABELS = st.lists(st.sampled_from(["real", "fake"]), min_size=1, max_size=60)


def balance(method: str = "none", kinds: tuple[str, ...] = ("image", "video")) -> Balance:
    return Balance.model_validate({"kinds": kinds, "method": method})


def made(facts: list[tuple[str, str, str, bool]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = [item(at, label, kind=kind, generator=generator) for at, (label, kind, generator, _) in enumerate(facts)]
    return table(rows), quality_of([row for row, (*_, kept) in zip(rows, facts, strict=True) if kept])


def test_what_is_left_out_says_why() -> None:
    rows = [item("a", "real"), item("b", "real", kind="image"), item("c", "fake"), item("d", "fake")]
    quality = quality_of(rows)
    quality.loc[quality["media_id"] == media_id("c"), "kept"] = False
    found = choose(table(rows), quality.iloc[:3], balance(kinds=("video",)), 1).set_index("path")
    assert found["why"].to_dict() == {"real/a.mp4": "", "real/b.mp4": "kind", "fake/c.mp4": "no-frame", "fake/d.mp4": "no-frame"}
    assert found["included"].tolist() == [not why for why in found["why"]]


@given(ROWS, st.integers(0, 5), st.randoms())
def test_undersampling_evens_the_classes_whatever_the_order(facts: list[tuple[str, str, str, bool]], seed: int, random: object) -> None:
    media, quality = made(facts)
    found = choose(media, quality, balance("undersample"), seed)
    assert sorted(found["media_id"]) == sorted(media["media_id"])  # everything accounted for
    usable = Counter(label for label, *_, kept in facts if kept)
    taken = Counter(found.loc[found["included"], "label"])
    assert taken == ({label: min(usable.values()) for label in usable} if len(usable) == 2 else usable)
    order = list(range(len(media)))
    random.shuffle(order)  # type: ignore[attr-defined]
    pd.testing.assert_frame_equal(found, choose(media.iloc[order], quality.iloc[::-1], balance("undersample"), seed))


def test_undersampling_keeps_small_generators_whole() -> None:
    rows = two_classes(20, 0) + [item(f"big{at}", "fake", generator="big") for at in range(40)]
    rows += [item(f"small{at}", "fake", generator="small") for at in range(5)]
    found = choose(table(rows), quality_of(rows), balance("undersample"), 0)
    assert Counter(found.loc[found["included"] & (found["label"] == "fake"), "generator"]) == {"big": 15, "small": 5}


def test_undersampling_takes_from_the_kind_in_which_the_class_is_ahead() -> None:
    rows = [item(f"ri{at}", "real", kind="image") for at in range(20)] + [item(f"rv{at}", "real") for at in range(5)]
    rows += [item(f"fi{at}", "fake", kind="image") for at in range(15)] + [item(f"fv{at}", "fake") for at in range(20)]
    found = choose(table(rows), quality_of(rows), balance("undersample"), 0)
    taken = Counter(zip(found["kind"][found["included"]], found["label"][found["included"]], strict=True))
    assert taken == {("image", "real"): 20, ("video", "real"): 5, ("image", "fake"): 15, ("video", "fake"): 10}


def test_the_seed_chooses_and_the_other_methods_leave_all_in() -> None:
    rows = two_classes(5, 30)
    chosen = [
        frozenset(choose(table(rows), quality_of(rows), balance("undersample"), seed).query("included")["media_id"]) for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    for method in ("oversample", "class_weights", "none"):
        assert choose(table(rows), quality_of(rows), balance(method), 0)["included"].all()


@given(LABELS, st.integers(0, 3))
def test_repeats_even_the_classes_and_are_spread_evenly(labels: list[str], seed: int) -> None:
    names = [media_id(at) for at in range(len(labels))]
    repeats = train_repeats(names, labels, seed)
    shown = Counter(dict.fromkeys(labels, 0))
    for label, repeat in zip(labels, repeats.tolist(), strict=True):
        shown[label] += repeat
    assert repeats.min() >= 1 and set(shown.values()) == {max(Counter(labels).values())}
    for label in set(labels):
        own = repeats[np.array(labels) == label]
        assert own.max() - own.min() <= 1
    backwards = train_repeats(names[::-1], labels[::-1], seed)
    assert (backwards[::-1] == repeats).all()


@given(LABELS)
def test_weights_even_the_classes_and_mean_one(labels: list[str]) -> None:
    weights = train_weights(labels)
    sums = [weights[np.array(labels) == label].sum() for label in set(labels)]
    assert np.allclose(sums, sums[0]) and weights.mean() == pytest.approx(1)
