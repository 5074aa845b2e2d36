"""The floor learns from the training items alone, each with its own weight however many frames it has."""

import numpy as np
import pandas as pd
import pytest

from bonafide.evaluation import floor


def _items(count: int, frames_each: int = 1, seed: int = 0) -> tuple[np.ndarray, pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    label = np.arange(count) % 2
    features = (random.normal(size=(count, 6)) + label[:, None] * [2, 0, 0, 0, 0, 0]).astype(np.float32)
    names = [f"item{number}" for number in range(count)]
    frames = pd.DataFrame({"media_id": np.repeat(names, frames_each), "label": np.repeat(label, frames_each)})
    splits = pd.DataFrame({"media_id": names, "cluster": names, "weight": 1.0, "repeat": 1})
    return np.repeat(features, frames_each, axis=0), frames, splits


def test_it_tells_apart_what_the_features_tell_apart() -> None:
    features, frames, splits = _items(80)
    fitted = floor.fit_floor(features, frames, splits, seed=1)
    unseen, truth, _ = _items(80, seed=1)
    called = floor.scores(fitted, unseen) >= 0.5
    assert (called == (truth["label"] == 1)).mean() > 0.75
    assert floor.strength_of(fitted) in floor.STRENGTHS


def test_frames_of_an_item_share_its_weight() -> None:
    features, frames, splits = _items(8)
    plain = floor.fit_floor(features, frames, splits, seed=1)
    copies = np.where(np.arange(8) == 3, 9, 1)  # one item comes as nine equal frames
    longer = frames.loc[frames.index.repeat(copies)].reset_index(drop=True)
    fitted = floor.fit_floor(np.repeat(features, copies, axis=0), longer, splits, seed=1)
    np.testing.assert_allclose(floor.scores(fitted, features), floor.scores(plain, features), atol=2e-3)


def test_class_weights_and_repeats_count() -> None:
    features, frames, splits = _items(8)
    heavier = splits.assign(weight=np.where(frames["label"] == 1, 5.0, 1.0))
    shown_more = splits.assign(repeat=np.where(frames["label"] == 1, 5, 1))
    plain, weighted, repeated = (
        floor.scores(floor.fit_floor(features, frames, s, 1), features).mean() for s in (splits, heavier, shown_more)
    )
    assert weighted > plain + 0.1
    assert repeated == pytest.approx(weighted)


def test_at_most_sixteen_frames_of_an_item_evenly() -> None:
    frames = pd.DataFrame({"media_id": ["long"] * 100 + ["photo"]})
    rows = floor.fit_rows(frames)
    assert len(rows) == 17
    assert rows[0] == 0
    assert set(rows[-2:]) == {99, 100}
    assert np.diff(rows[:16]).max() <= 7


def test_few_clusters_take_the_fixed_penalty() -> None:
    features, frames, splits = _items(8)
    assert floor.strength_of(floor.fit_floor(features, frames, splits, seed=1)) == 0.01
