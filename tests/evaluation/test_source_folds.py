"""Folds that leave out whole sources: nothing that is related to the tested items is in the training part."""

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.config import BalanceParams
from realframe.data import source_groups
from realframe.evaluation import scored_rows, source_folds
from realframe.evaluation.source_folds import SourceFold, plan_source_folds

BALANCE = BalanceParams(kinds=("image", "video"), method="class_weights")


def make_items(*sources: tuple[str, str, str, int], generator: str = "") -> pd.DataFrame:
    """Make items from source, kind, label and number; each generator is that of its source, and splits alternate."""
    rows: list[dict[str, Any]] = []
    for source, kind, label, count in sources:
        for place in range(count):
            made_by = (generator or f"generator of {source}") if label == "fake" else "camera"
            split = ("train", "train", "val", "test")[place % 4]
            rows.append({"kind": kind, "label": label, "source": source, "generator": made_by, "split": split})
    table = pd.DataFrame(rows)
    ids = [f"{number:064x}" for number in range(len(table))]
    return table.assign(media_id=ids, cluster=ids, repeat=1, weight=1.0)


def training_part(fold: SourceFold) -> pd.DataFrame:
    return fold.splits[fold.splits["split"] != "test"]


def left_out_part(fold: SourceFold) -> pd.DataFrame:
    return fold.splits[fold.splits["split"] == "test"]


@st.composite
def datasets(draw: st.DrawFn) -> pd.DataFrame:
    """Draw items of a few sources, generators and clusters, all of which may cross each other."""
    count = draw(st.integers(6, 60))
    random = np.random.default_rng(draw(st.integers(0, 10_000)))

    def choose(prefix: str, most: int) -> np.ndarray:
        names = ["", *(f"{prefix}{number}" for number in range(draw(st.integers(1, most))))]
        return random.choice(names, count)

    ids = [f"{number:064x}" for number in range(count)]
    clusters = np.where(random.uniform(size=count) < draw(st.sampled_from([0.0, 0.2])), "shared", ids)
    return pd.DataFrame(
        {
            "media_id": ids,
            "label": random.choice(["real", "fake"], count),
            "kind": random.choice(draw(st.sampled_from([["image"], ["image", "video"]])), count),
            "source": choose("s", 12),
            "generator": choose("g", 6),
            "cluster": clusters,
            "split": random.choice(["train", "train", "val", "test"], count),
            "repeat": 1,
            "weight": 1.0,
        }
    )


@given(datasets(), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_nothing_related_to_a_tested_item_is_used_for_training(items: pd.DataFrame, folds: int) -> None:
    for fold in plan_source_folds(items, folds, BALANCE, 0):
        train, test = training_part(fold), left_out_part(fold)
        assert set(train["split"]) <= {"train", "val"}
        assert not (items.set_index("media_id").loc[train["media_id"], "split"] == "test").any()
        assert not set(source_groups.name_sources(train)) & set(source_groups.name_sources(test))
        assert not set(train["cluster"]) & set(test["cluster"])
        generators = set(test.loc[test["label"] == "fake", "generator"]) - {""}
        assert not generators & set(train.loc[train["label"] == "fake", "generator"])


@given(datasets(), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_each_source_is_left_out_once_with_all_its_items(items: pd.DataFrame, folds: int) -> None:
    plan = plan_source_folds(items, folds, BALANCE, 0)
    assert len(plan) <= folds
    if plan:
        tested = pd.concat([left_out_part(fold) for fold in plan])
        assert sorted(tested["media_id"]) == sorted(items["media_id"])
        assert sorted(source for fold in plan for source in fold.sources) == sorted(set(source_groups.name_sources(items)))
    else:
        assert all(source_groups.describe_shortage(items, str(kind)) for kind in items["kind"].unique())


@given(datasets(), st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_changes_nothing(items: pd.DataFrame, seed: int) -> None:
    shuffled = items.sample(frac=1, random_state=seed)
    for one, other in zip(plan_source_folds(items, 4, BALANCE, 0), plan_source_folds(shuffled, 4, BALANCE, 0), strict=True):
        assert one.sources == other.sources
        pd.testing.assert_frame_equal(one.splits, other.splits)


@given(st.integers(3, 9), st.integers(3, 9), st.integers(0, 3), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_each_fold_tests_both_classes_of_a_kind_with_enough_sources(real: int, fake: int, both: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    single = [(f"real {n}", "image", "real", int(random.integers(1, 200))) for n in range(real)]
    single += [(f"fake {n}", "image", "fake", int(random.integers(1, 200))) for n in range(fake)]
    double = [(f"both {n}", "image", label, int(random.integers(1, 200))) for n in range(both) for label in ("real", "fake")]
    plan = plan_source_folds(make_items(*single, *double), 4, BALANCE, 0)
    assert len(plan) == min(4, real + both, fake + both)
    for fold in plan:
        assert set(left_out_part(fold)["label"]) == {"real", "fake"}


def test_one_class_sources_are_combined_and_large_ones_spread() -> None:
    items = make_items(
        ("lab", "image", "real", 171), ("lab", "image", "fake", 138), ("scans", "image", "real", 47), ("muse", "image", "fake", 39),
        ("food", "image", "real", 20), ("dalle", "image", "fake", 20),
    )  # fmt: skip
    plan = plan_source_folds(items, 4, BALANCE, 0)
    assert sorted(fold.sources for fold in plan) == [("dalle", "food"), ("lab",), ("muse", "scans")]


def test_too_few_sources_give_no_fold_and_a_sentence() -> None:
    items = make_items(("a", "image", "real", 9), ("b", "image", "real", 9), *((f"g{n}", "image", "fake", 9) for n in range(4)))
    assert plan_source_folds(items, 4, BALANCE, 0) == []
    assert source_groups.describe_shortage(items, "image") == (
        "The dataset has 2 sources of real and 4 sources of AI-generated images: at least 3 of each class are needed for a statement "
        "about unseen sources."
    )
    assert "no sources of real and no sources of AI-generated videos" in source_groups.describe_shortage(items, "video")
    unknown = pd.concat([items, make_items(("", "image", "real", 4))], ignore_index=True)
    assert source_groups.describe_shortage(unknown, "image") == ""  # items without a source are one source


def test_off_means_no_folds() -> None:
    items = make_items(*((f"{label} {n}", "image", label, 9) for label in ("real", "fake") for n in range(4)))
    assert plan_source_folds(items, 0, BALANCE, 0) == []
    assert len(plan_source_folds(items, 4, BALANCE, 0)) == 4


def test_a_generator_that_all_sources_have_in_common_leaves_nothing_to_train_on() -> None:
    items = make_items(*((f"{label} {n}", "image", label, 9) for label in ("real", "fake") for n in range(3)), generator="sora")
    for fold in plan_source_folds(items, 4, BALANCE, 0):
        assert "train has no AI-generated item" in fold.skip_reason


def test_a_kind_without_training_items_is_named() -> None:
    images = make_items(*((f"{label} {n}", "image", label, 9) for label in ("real", "fake") for n in range(3)))
    videos = make_items(("clips", "video", "real", 5), ("clips", "video", "fake", 5))
    videos = videos.assign(media_id=[f"v{number}" for number in range(10)], cluster=[f"v{number}" for number in range(10)])
    plan = plan_source_folds(pd.concat([images, videos], ignore_index=True), 4, BALANCE, 0)
    notes = {fold.missing_kinds_note for fold in plan if "clips" in fold.sources}
    assert len(notes) == 1
    assert "no real videos and no AI-generated videos are left for training" in notes.pop()
    assert all(not fold.missing_kinds_note for fold in plan if "clips" not in fold.sources)


def test_rows_have_the_split_of_the_dataset_and_the_name_of_the_unknown_source() -> None:
    items = make_items(*((f"{label} {n}" if n else "", "image", label, 8) for label in ("real", "fake") for n in range(3)))
    plan = plan_source_folds(items, 4, BALANCE, 0)
    rows = pd.concat([source_folds.build_cross_source_rows(fold, dict.fromkeys(items["media_id"], 0.5)) for fold in plan])
    assert list(rows.columns) == scored_rows.CROSS_SOURCE.names
    assert set(rows["fold"]) == {0, 1, 2}
    assert "unknown" in set(rows["source"])
    expected = items.set_index("media_id").loc[rows["media_id"], "split"]
    assert rows["split"].tolist() == expected.tolist()
