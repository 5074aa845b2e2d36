"""What is measured on degraded items: which items, which frames, and that nothing but the degradation differs."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from realframe import artifacts
from realframe.config import Params
from realframe.evaluation import robustness
from realframe.evaluation.degradations import NONE, OF_PICTURES, OF_VIDEOS, Item, Perturbation, degraded
from realframe.evaluation.frame_scores import load_model
from realframe.evaluation.item_scores import Scorer
from realframe.media.shards import read_frames
from tests.small_run import Small

COLUMNS = ["media_id", "label", "kind", "cluster", "perturbation", "level", "score"]


def with_evaluate(params: Params, **changed: Any) -> Params:
    return params.model_copy(update={"evaluate": params.evaluate.model_copy(update=changed)})


def item_of(small: Small, row: Any) -> Item:
    shard = f"{row.media_id}.tar"
    return Item(
        row.media_id, *(small.folder / path for path in (artifacts.RAW / row.path, artifacts.FRAMES / shard, artifacts.CLEAN / shard))
    )


def first(small: Small, kind: str) -> Item:
    return item_of(small, next(small.splits[(small.splits["kind"] == kind) & (small.splits["split"] == "test")].itertuples()))


@pytest.fixture(scope="module")
def table(small: Small) -> pd.DataFrame:
    small.stage("measure_robustness", with_evaluate(small.params, robustness_items=4))
    return pd.read_parquet(small.folder / artifacts.ROBUSTNESS)


def test_each_item_is_scored_in_each_way(small: Small, table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    chosen = robustness.sample(small.splits, 4, small.params.seed)
    assert table["media_id"].unique().tolist() == chosen["media_id"].tolist()
    for item in chosen.itertuples():
        rows = table[table["media_id"] == item.media_id]
        ways = OF_PICTURES + (OF_VIDEOS if item.kind == "video" else ())
        assert [Perturbation(*way) for way in zip(rows["perturbation"], rows["level"], strict=True)] == list(ways)
        assert rows["score"].between(0, 1).all()
        assert rows["score"].nunique() > len(ways) / 2


def test_as_it_is_it_scores_as_its_shard_does(small: Small, table: pd.DataFrame) -> None:
    scorer = Scorer(load_model(small.folder / artifacts.MODEL), small.params, "mean")
    baseline = table[table["perturbation"] == "none"].set_index("media_id")["score"]
    for media_id, score in baseline.items():
        pictures = read_frames(small.folder / artifacts.CLEAN / f"{media_id}.tar")[0]
        kept = pictures[[0, -1]] if len(pictures) > 1 else pictures  # evaluate.robustness_frames is 2
        assert score == pytest.approx(scorer.score(kept).score, abs=1e-6)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_the_frames_are_those_that_cleaning_kept_spread_evenly(small: Small, kind: str) -> None:
    item = first(small, kind)
    pictures = read_frames(item.clean)[0]
    squares = degraded(item, with_evaluate(small.params, robustness_frames=2))
    assert np.array_equal(squares[NONE], pictures[[0, 2]] if kind == "video" else pictures)
    for how, frames in squares.items():
        assert frames.shape == squares[NONE].shape, how
        assert (how == NONE) == np.array_equal(frames, squares[NONE])
    everything = degraded(item, with_evaluate(small.params, robustness_frames=99))
    assert np.array_equal(everything[NONE], pictures)


def test_a_worse_encoding_does_more_harm_to_a_video(small: Small) -> None:
    squares = degraded(first(small, "video"), small.params)
    harm = [np.abs(squares[how].astype(float) - squares[NONE]).mean() for how in OF_VIDEOS]
    assert 0 < harm[0] < harm[1]


def test_the_same_item_is_degraded_the_same_way_and_another_one_by_other_noise(small: Small) -> None:
    item = first(small, "image")
    one, again = degraded(item, small.params), degraded(item, small.params)
    assert all(np.array_equal(one[how], again[how]) for how in one)
    other = Item("0" * 64, item.original, item.sampled, item.clean)
    noise = Perturbation("noise", 20)
    assert not np.array_equal(degraded(other, small.params)[noise], one[noise])
    assert np.array_equal(degraded(other, small.params)[Perturbation("jpeg", 30)], one[Perturbation("jpeg", 30)])


def test_a_video_that_can_t_be_encoded_keeps_its_other_ways(small: Small) -> None:
    strict = small.params.model_copy(update={"limits": small.params.limits.model_copy(update={"max_memory_mb": 1})})
    squares = degraded(first(small, "video"), strict)
    assert set(squares) == set(OF_PICTURES)


def test_the_sample_is_drawn_from_test_of_each_class_and_stays_when_others_come(small: Small) -> None:
    few = robustness.sample(small.splits, 3, 0)
    assert few["label"].value_counts().to_dict() == {"real": 3, "fake": 3}
    assert set(few["split"]) == {"test"}
    assert robustness.sample(small.splits.sample(frac=1, random_state=1), 3, 0)["media_id"].tolist() == few["media_id"].tolist()
    assert set(few["media_id"]) <= set(robustness.sample(small.splits, 5, 0)["media_id"])
    assert set(robustness.sample(small.splits, 3, 1)["media_id"]) != set(few["media_id"])
    assert len(robustness.sample(small.splits, 999, 0)) == (small.splits["split"] == "test").sum()


def test_none_asked_for_leaves_an_empty_table(small: Small) -> None:
    small.stage("measure_robustness", with_evaluate(small.params, robustness_items=0))
    table = pd.read_parquet(small.folder / artifacts.ROBUSTNESS)
    assert (list(table.columns), len(table)) == (COLUMNS, 0)
