"""Stage measure_robustness: which items and frames are scored, and that only the perturbation differs."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from realframe import artifacts
from realframe.config import Params
from realframe.evaluation import robustness
from realframe.evaluation.item_scores import ItemScorer
from realframe.evaluation.network_scores import load_model
from realframe.evaluation.perturbations import IMAGE_PERTURBATIONS, UNCHANGED, VIDEO_PERTURBATIONS, ItemFiles, Perturbation, perturb_item
from realframe.media.shards import read_shard_frames
from tests.small_run import SmallRun

COLUMNS = ["media_id", "label", "kind", "cluster", "perturbation", "level", "score"]


def set_evaluate_params(params: Params, **changed: Any) -> Params:
    return params.model_copy(update={"evaluate": params.evaluate.model_copy(update=changed)})


def files_of(small: SmallRun, row: Any) -> ItemFiles:
    shard = f"{row.media_id}.tar"
    return ItemFiles(
        row.media_id,
        *(small.folder / path for path in (artifacts.RAW_MEDIA / row.path, artifacts.FRAMES / shard, artifacts.CLEAN_FRAMES / shard)),
    )


def first_test_item(small: SmallRun, kind: str) -> ItemFiles:
    return files_of(small, next(small.splits[(small.splits["kind"] == kind) & (small.splits["split"] == "test")].itertuples()))


@pytest.fixture(scope="module")
def table(small: SmallRun) -> pd.DataFrame:
    small.run_stage("measure_robustness", set_evaluate_params(small.params, robustness_items=4))
    return pd.read_parquet(small.folder / artifacts.ROBUSTNESS)


def test_each_item_is_scored_under_each_perturbation(small: SmallRun, table: pd.DataFrame) -> None:
    assert list(table.columns) == COLUMNS
    chosen = robustness.sample_test_items(small.splits, 4, small.params.seed)
    assert table["media_id"].unique().tolist() == chosen["media_id"].tolist()
    for item in chosen.itertuples():
        rows = table[table["media_id"] == item.media_id]
        perturbations = IMAGE_PERTURBATIONS + (VIDEO_PERTURBATIONS if item.kind == "video" else ())
        assert [Perturbation(*pair) for pair in zip(rows["perturbation"], rows["level"], strict=True)] == list(perturbations)
        assert rows["score"].between(0, 1).all()
        assert rows["score"].nunique() > len(perturbations) / 2


def test_unchanged_frames_score_like_their_shard(small: SmallRun, table: pd.DataFrame) -> None:
    scorer = ItemScorer(load_model(small.folder / artifacts.MODEL), small.params, "mean")
    baseline = table[table["perturbation"] == "none"].set_index("media_id")["score"]
    for media_id, score in baseline.items():
        pixels = read_shard_frames(small.folder / artifacts.CLEAN_FRAMES / f"{media_id}.tar")[0]
        kept = pixels[[0, -1]] if len(pixels) > 1 else pixels  # evaluate.robustness_frames is 2
        assert score == pytest.approx(scorer.score(kept).score, abs=1e-6)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_frames_are_evenly_spaced_among_the_kept_ones(small: SmallRun, kind: str) -> None:
    item = first_test_item(small, kind)
    pixels = read_shard_frames(item.clean_shard)[0]
    squares = perturb_item(item, set_evaluate_params(small.params, robustness_frames=2))
    assert np.array_equal(squares[UNCHANGED], pixels[[0, 2]] if kind == "video" else pixels)
    for perturbation, frames in squares.items():
        assert frames.shape == squares[UNCHANGED].shape, perturbation
        assert (perturbation == UNCHANGED) == np.array_equal(frames, squares[UNCHANGED])
    everything = perturb_item(item, set_evaluate_params(small.params, robustness_frames=99))
    assert np.array_equal(everything[UNCHANGED], pixels)


def test_a_higher_crf_changes_a_video_more(small: SmallRun) -> None:
    squares = perturb_item(first_test_item(small, "video"), small.params)
    difference = [np.abs(squares[perturbation].astype(float) - squares[UNCHANGED]).mean() for perturbation in VIDEO_PERTURBATIONS]
    assert 0 < difference[0] < difference[1]


def test_noise_is_deterministic_per_item(small: SmallRun) -> None:
    item = first_test_item(small, "image")
    one, again = perturb_item(item, small.params), perturb_item(item, small.params)
    assert all(np.array_equal(one[perturbation], again[perturbation]) for perturbation in one)
    other = ItemFiles("0" * 64, item.original_file, item.frames_shard, item.clean_shard)
    noise = Perturbation("noise", 20)
    assert not np.array_equal(perturb_item(other, small.params)[noise], one[noise])
    assert np.array_equal(perturb_item(other, small.params)[Perturbation("jpeg", 30)], one[Perturbation("jpeg", 30)])


def test_a_video_that_cannot_be_encoded_keeps_the_other_perturbations(small: SmallRun) -> None:
    strict = small.params.model_copy(update={"limits": small.params.limits.model_copy(update={"max_memory_mb": 1})})
    squares = perturb_item(first_test_item(small, "video"), strict)
    assert set(squares) == set(IMAGE_PERTURBATIONS)


def test_the_sample_is_balanced_and_stable_when_items_are_added(small: SmallRun) -> None:
    few = robustness.sample_test_items(small.splits, 3, 0)
    assert few["label"].value_counts().to_dict() == {"real": 3, "fake": 3}
    assert set(few["split"]) == {"test"}
    assert robustness.sample_test_items(small.splits.sample(frac=1, random_state=1), 3, 0)["media_id"].tolist() == few["media_id"].tolist()
    assert set(few["media_id"]) <= set(robustness.sample_test_items(small.splits, 5, 0)["media_id"])
    assert set(robustness.sample_test_items(small.splits, 3, 1)["media_id"]) != set(few["media_id"])
    assert len(robustness.sample_test_items(small.splits, 999, 0)) == (small.splits["split"] == "test").sum()


def test_zero_items_write_an_empty_table(small: SmallRun) -> None:
    small.run_stage("measure_robustness", set_evaluate_params(small.params, robustness_items=0))
    table = pd.read_parquet(small.folder / artifacts.ROBUSTNESS)
    assert (list(table.columns), len(table)) == (COLUMNS, 0)
