"""The content of metrics.json: metrics of the detector and its baseline, and notes where items are too few."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn

from realframe.data.manifest import compute_test_split_digest
from realframe.models.aggregate import aggregate_by_item, aggregate_scores
from tests.scored_items import make_metrics, make_predictions, make_splits


def test_figures_of_items_and_frames(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = make_metrics(good_predictions, splits, 300, 0)
    test = good_predictions[good_predictions["split"] == "test"]
    items = test.groupby("media_id").agg(label=("label", "first"), score=("score", "mean"))
    for level, table in (("item", items), ("frame", test)):
        expected = sklearn.roc_auc_score(table["label"] == "fake", table["score"])
        found = metrics["test"][level]["roc_auc"]
        assert found["value"] == pytest.approx(expected)
        assert found["low"] < expected < found["high"] or expected == 1.0
        assert sum(metrics["test"][level]["confusion"].values()) == len(table)
    assert metrics["counts"]["test"] == {"item": {"real": 20, "fake": 20}, "frame": {"real": 40, "fake": 40}}
    json.dumps(metrics, allow_nan=False)


def test_below_baseline_is_reported(good_predictions: pd.DataFrame, bad_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    better, worse = make_metrics(good_predictions, splits, 300, 0), make_metrics(bad_predictions, splits, 300, 0)
    assert (better["below_baseline"], worse["below_baseline"]) == (False, True)
    assert worse["gap_to_baseline"]["high"] < 0
    difference = worse["test"]["item"]["roc_auc"]["value"] - worse["baseline"]["test"]["item"]["roc_auc"]["value"]
    assert worse["gap_to_baseline"]["value"] == pytest.approx(difference)


def test_the_gap_to_the_baseline_is_paired(splits: pd.DataFrame) -> None:
    scored = make_predictions(splits, 1.0, 1.0)
    twins = make_metrics(scored.assign(baseline_score=scored["score"]), splits, 300, 0)
    assert twins["gap_to_baseline"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert twins["below_baseline"] is False


def test_a_kind_with_too_few_items_has_a_note(splits: pd.DataFrame) -> None:
    test_videos = splits[(splits["split"] == "test") & (splits["kind"] == "video") & (splits["label"] == "real")]
    fewer = splits.drop(test_videos.index[3:])
    metrics = make_metrics(make_predictions(fewer, 9.0, 1.0), fewer, 100, 0)
    assert "model" in metrics["per_kind"]["image"]
    assert set(metrics["per_kind"]["video"]) == {"counts", "too_few"}
    assert "3 real" in metrics["per_kind"]["video"]["too_few"]


def test_every_figure_matches_scikit_learn(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = make_metrics(good_predictions, splits)
    for split in ("val", "test"):
        items = aggregate_by_item(good_predictions[good_predictions["split"] == split], "mean")
        for column, section in (("score", metrics), ("baseline_score", metrics["baseline"])):
            fake, scores = (items["label"] == "fake").to_numpy(), items[column].to_numpy()
            rules = [metrics["verdict"][kind] for kind in items["kind"]] if column == "score" else [section] * len(items)
            slopes, intercepts = (np.array([rule[name] for rule in rules]) for name in ("slope", "intercept"))
            calibrated = np.clip(1 / (1 + np.exp(-slopes * np.log(scores / (1 - scores)) - intercepts)), 0.01, 0.99)
            expected = {
                "roc_auc": sklearn.roc_auc_score(fake, scores),
                "pr_auc": sklearn.average_precision_score(fake, scores),
                "mcc": sklearn.matthews_corrcoef(fake, scores >= section["threshold"]),
                "f1": sklearn.f1_score(fake, scores >= section["threshold"]),
                "log_loss": sklearn.log_loss(fake, calibrated),
                "brier": sklearn.brier_score_loss(fake, calibrated),
            }
            for name, value in expected.items():
                assert section[split]["item"][name]["value"] == pytest.approx(value), (split, column, name)
    frames = good_predictions[good_predictions["split"] == "test"]
    brier = sklearn.brier_score_loss(frames["label"] == "fake", frames["score"])
    assert metrics["test"]["frame"]["brier"]["value"] == pytest.approx(brier)  # a calibration is fitted to items


def test_the_test_split_digest_depends_on_its_items_only(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    named = compute_test_split_digest(splits)
    assert make_metrics(good_predictions, splits)["test_split"] == named
    assert compute_test_split_digest(splits.sample(frac=1, random_state=1).assign(path="elsewhere", label="real")) == named
    assert compute_test_split_digest(splits.drop(splits.index[splits["split"] == "test"][0])) != named
    assert len(named) == 12


def test_shortcut_marks_and_missing_measurements(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = make_metrics(good_predictions, splits, shortcuts={"passed": False, "allowed": True, "kinds": {}})
    assert metrics["shortcuts"] == {"passed": False, "allowed": True}
    empty = pd.DataFrame(columns=["media_id"])
    without = make_metrics(good_predictions, splits, held_out=empty, robustness=empty, regression=empty)
    for section in (metrics, without):
        assert [section[name] for name in ("held_out", "robustness", "regression")] == [None] * 3


def test_the_majority_class_comes_from_the_training_split(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    reals = splits[(splits["split"] == "train") & (splits["label"] == "real")]
    majority = make_metrics(good_predictions, splits.drop(reals.index[5:]), 100, 0)["majority"]
    assert majority["label"] == "fake"
    assert majority["test"]["item"]["accuracy"]["value"] == 0.5
    assert majority["test"]["item"]["roc_auc"]["value"] == 0.5


def test_few_test_items_give_figures_without_intervals() -> None:
    few = make_splits(24)
    metrics = make_metrics(make_predictions(few, 9.0, 1.0), few, 100, 0)
    assert metrics["test"]["item"]["roc_auc"]["low"] is None
    assert "4 real and 4 fake" in metrics["test"]["item"]["too_few"]


def test_equal_seeds_give_equal_figures(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    assert make_metrics(good_predictions, splits, 200, 7) == make_metrics(good_predictions, splits, 200, 7)
    assert make_metrics(good_predictions, splits, 200, 7) != make_metrics(good_predictions, splits, 200, 8)


def test_aggregates() -> None:
    scores = np.array([0.1, 0.2, 0.9])
    assert aggregate_scores(scores, "mean") == pytest.approx(0.4)
    assert aggregate_scores(scores, "median") == pytest.approx(0.2)
    frames = pd.DataFrame({"media_id": ["b", "a", "a", "a"], "label": ["real"] * 4, "index": [0, 0, 1, 2], "score": [0.5, *scores]})
    table = aggregate_by_item(frames, "median", ["score"])
    assert table.to_dict("list") == {"media_id": ["a", "b"], "label": ["real", "real"], "score": [pytest.approx(0.2), 0.5]}


def test_the_threshold_comes_from_validation_items_only(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    plain = make_metrics(good_predictions, splits)
    for split, moves in (("test", False), ("val", True)):
        changed = make_metrics(
            good_predictions.assign(
                score=good_predictions["score"].where(good_predictions["split"] != split, good_predictions["score"] ** 4)
            ),
            splits,
        )
        for fitted in ("threshold", "verdict"):
            assert (changed[fitted] != plain[fitted]) is moves, (split, fitted)
