"""Batches: every clean frame with its label and weight, in a seeded order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realframe.data.batches import EpochPlan, FrameReader, build_frame_table, build_tf_dataset
from realframe.errors import DatasetError
from realframe.media.shards import read_shard_frames


def test_every_clean_frame_is_listed_with_label_and_index(splits: pd.DataFrame, clean: Path) -> None:
    table = build_frame_table(splits, clean, "train")

    train = splits[splits["split"] == "train"]
    expected = {(m, i) for m in train["media_id"] for i in read_shard_frames(clean / f"{m}.tar")[1]}
    assert set(zip(table["media_id"], table["index"], strict=True)) == expected
    labels = train.set_index("media_id")["label"]
    assert [("real", "fake")[label] for label in table["label"]] == [labels[m] for m in table["media_id"]]
    assert table["media_id"].is_monotonic_increasing


def test_the_reader_returns_the_pixels_of_the_shards_with_and_without_cache(splits: pd.DataFrame, clean: Path) -> None:
    table = build_frame_table(splits, clean, "val")
    expected = np.concatenate([read_shard_frames(clean / f"{m}.tar")[0] for m in table["media_id"].unique()])
    rows = np.array([3, 0, 3, len(table) - 1])

    for resident in (0, 1 << 30):
        reader = FrameReader(table, 2, resident)
        for _ in range(2):
            assert np.array_equal(reader.read(rows), expected[rows])


def test_each_item_has_the_same_weight_with_any_number_of_frames(splits: pd.DataFrame, clean: Path) -> None:
    table = build_frame_table(splits, clean, "train")

    per_item = table.groupby("media_id")["weight"].sum()
    assert table.groupby("media_id").size().nunique() > 1
    np.testing.assert_allclose(per_item, per_item.iloc[0])
    assert table["weight"].mean() == pytest.approx(1)


def test_class_weights_and_repeats_apply_to_the_frames(splits: pd.DataFrame, clean: Path) -> None:
    fake = splits["label"] == "fake"
    table = build_frame_table(splits.assign(weight=np.where(fake, 3.0, 1.0), repeat=np.where(fake, 1, 2)), clean, "train")

    weights = table["weight"] * table["repeat"]
    per_item = table.groupby("media_id")["weight"].sum()
    label = table.groupby("media_id")["label"].first()
    ratio = per_item[label == 1].mean() / per_item[label == 0].mean()
    assert ratio == pytest.approx(3)
    assert weights.sum() == pytest.approx(table["repeat"].sum())


def test_an_item_without_a_shard_is_an_error(splits: pd.DataFrame, clean: Path) -> None:
    lost = pd.concat([splits, splits.head(1).assign(media_id="f" * 64)])

    with pytest.raises(DatasetError, match=r"f{64}.tar.*no clean frames"):
        build_frame_table(lost, clean, "train")


def test_an_empty_split_is_an_error(splits: pd.DataFrame, clean: Path) -> None:
    with pytest.raises(DatasetError, match="split val: has no frames"):
        build_frame_table(splits[splits["split"] != "val"], clean, "val")


def make_plan(repeats: list[int], batch: int, views: int, min_steps: int, seed: int, epoch: int = 0) -> EpochPlan:
    return EpochPlan(pd.DataFrame({"repeat": repeats}), batch, views, min_steps, seed, epoch)


@settings(max_examples=60, deadline=None)
@given(
    repeats=st.lists(st.integers(1, 3), min_size=1, max_size=30),
    batch=st.integers(1, 9),
    views=st.integers(1, 4),
    min_steps=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_an_epoch_shows_every_frame_as_often_as_its_repeat_says(
    repeats: list[int], batch: int, views: int, min_steps: int, seed: int
) -> None:
    plan = make_plan(repeats, batch, views, min_steps, seed)
    batches = list(plan.batches())

    rows = np.concatenate([rows for rows, _ in batches])
    counts = np.bincount(rows, minlength=len(repeats))
    passes = len(rows) / sum(repeats)
    assert len(batches) == plan.steps >= min_steps
    assert all(np.floor(passes) * r <= count <= np.ceil(passes) * r for r, count in zip(repeats, counts, strict=True))
    assert passes >= 1
    assert all(0 <= view < views for _, drawn in batches for view in drawn)


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate([rows for rows, _ in make_plan([1] * 50, 8, 2, 1, seed, epoch).batches()]).tolist()  # type: ignore[no-any-return]

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)


def test_the_dataset_follows_the_epoch_and_has_labels_and_weights(splits: pd.DataFrame, clean: Path) -> None:
    table = build_frame_table(splits, clean, "train")
    plan = EpochPlan(table, batch_size=5, views=3, min_steps=1, seed=1)
    dataset = build_tf_dataset(plan, lambda rows, views: np.stack([rows, views], axis=1).astype(np.float32))

    seen = []
    for epoch in range(2):
        plan.epoch = epoch
        for inputs, labels, weights in dataset.as_numpy_iterator():
            rows = inputs[:, 0].astype(int)
            assert np.array_equal(labels[:, 0], table["label"].to_numpy()[rows])
            np.testing.assert_allclose(weights, table["weight"].to_numpy()[rows], rtol=1e-6)
            seen.append(rows.tolist())
    assert len(seen) == 2 * plan.steps == 2 * int(dataset.cardinality())
    assert seen[: plan.steps] != seen[plan.steps :]
