"""What metrics.json says: the detector beside its floor, and where there is too little to say."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bonafide.evaluation.evidence import assemble
from bonafide.models.aggregate import item_score, item_table
from tests.scored_items import predictions, split_table


def test_figures_of_items_and_frames(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = assemble(good, splits, "mean", 300, 0)
    test = good[good["split"] == "test"]
    items = test.groupby("media_id").agg(label=("label", "first"), score=("score", "mean"))
    for level, table in (("item", items), ("frame", test)):
        expected = roc_auc_score(table["label"] == "fake", table["score"])
        found = metrics["test"][level]["roc_auc"]
        assert found["value"] == pytest.approx(expected)
        assert found["low"] < expected < found["high"] or expected == 1.0
        assert sum(metrics["test"][level]["confusion"].values()) == len(table)
    assert metrics["counts"]["test"] == {"item": {"real": 20, "fake": 20}, "frame": {"real": 40, "fake": 40}}
    json.dumps(metrics, allow_nan=False)


def test_below_the_floor_is_said(good: pd.DataFrame, bad: pd.DataFrame, splits: pd.DataFrame) -> None:
    better, worse = assemble(good, splits, "mean", 300, 0), assemble(bad, splits, "mean", 300, 0)
    assert (better["below_floor"], worse["below_floor"]) == (False, True)
    assert worse["gap_to_floor"]["high"] < 0
    difference = worse["test"]["item"]["roc_auc"]["value"] - worse["floor"]["test"]["item"]["roc_auc"]["value"]
    assert worse["gap_to_floor"]["value"] == pytest.approx(difference)


def test_the_gap_is_paired(splits: pd.DataFrame) -> None:
    scored = predictions(splits, 1.0, 1.0)
    twins = assemble(scored.assign(floor_score=scored["score"]), splits, "mean", 300, 0)
    assert twins["gap_to_floor"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert twins["below_floor"] is False


def test_a_slice_with_too_few_items_says_so(splits: pd.DataFrame) -> None:
    test_videos = splits[(splits["split"] == "test") & (splits["kind"] == "video") & (splits["label"] == "real")]
    fewer = splits.drop(test_videos.index[3:])
    metrics = assemble(predictions(fewer, 9.0, 1.0), fewer, "mean", 100, 0)
    assert "model" in metrics["per_kind"]["image"]
    assert set(metrics["per_kind"]["video"]) == {"counts", "too_few"}
    assert "3 real" in metrics["per_kind"]["video"]["too_few"]


def test_generators_are_ranked_against_real_items(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = assemble(good, splits, "mean", 200, 0)
    assert set(metrics["per_generator"]) == {"sora", "veo"}
    row, items = metrics["per_generator"]["sora"], item_table(good[good["split"] == "test"], "mean")
    sora = items[items["generator"] == "sora"]
    assert row["items"] == len(sora)
    assert row["recall"]["value"] == pytest.approx((sora["score"] >= metrics["threshold"]).mean())


def test_a_rare_generator_is_counted_not_rated(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    sora = good.loc[(good["generator"] == "sora") & (good["split"] == "test"), "media_id"].unique()
    rare = good[~good["media_id"].isin(sora[2:])]
    row = assemble(rare, splits, "mean", 100, 0)["per_generator"]["sora"]
    assert set(row) == {"items", "found", "too_few"}
    assert row["items"] == 2


def test_the_majority_class_is_that_of_training(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    reals = splits[(splits["split"] == "train") & (splits["label"] == "real")]
    majority = assemble(good, splits.drop(reals.index[5:]), "mean", 100, 0)["majority"]
    assert majority["label"] == "fake"
    assert majority["test"]["item"]["accuracy"]["value"] == 0.5
    assert majority["test"]["item"]["roc_auc"]["value"] == 0.5


def test_few_test_items_give_figures_without_intervals() -> None:
    few = split_table(24)
    metrics = assemble(predictions(few, 9.0, 1.0), few, "mean", 100, 0)
    assert metrics["test"]["item"]["roc_auc"]["low"] is None
    assert "4 real and 4 fake" in metrics["test"]["item"]["too_few"]


def test_equal_seeds_give_equal_figures(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    assert assemble(good, splits, "mean", 200, 7) == assemble(good, splits, "mean", 200, 7)
    assert assemble(good, splits, "mean", 200, 7) != assemble(good, splits, "mean", 200, 8)


def test_aggregates() -> None:
    scores = np.array([0.1, 0.2, 0.9])
    assert item_score(scores, "mean") == pytest.approx(0.4)
    assert item_score(scores, "median") == pytest.approx(0.2)
    frames = pd.DataFrame({"media_id": ["b", "a", "a", "a"], "label": ["real"] * 4, "index": [0, 0, 1, 2], "score": [0.5, *scores]})
    table = item_table(frames, "median", ["score"])
    assert table.to_dict("list") == {"media_id": ["a", "b"], "label": ["real", "real"], "score": [pytest.approx(0.2), 0.5]}
