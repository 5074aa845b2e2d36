"""What metrics.json says: the detector beside its baseline, and where there is too little to say."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sklearn

from realframe.evaluation.figures import digest_of_test_split
from realframe.models.aggregate import item_score, item_table
from tests.scored_items import evidence_of, predictions, split_table


def test_figures_of_items_and_frames(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = evidence_of(good, splits, 300, 0)
    test = good[good["split"] == "test"]
    items = test.groupby("media_id").agg(label=("label", "first"), score=("score", "mean"))
    for level, table in (("item", items), ("frame", test)):
        expected = sklearn.roc_auc_score(table["label"] == "fake", table["score"])
        found = metrics["test"][level]["roc_auc"]
        assert found["value"] == pytest.approx(expected)
        assert found["low"] < expected < found["high"] or expected == 1.0
        assert sum(metrics["test"][level]["confusion"].values()) == len(table)
    assert metrics["counts"]["test"] == {"item": {"real": 20, "fake": 20}, "frame": {"real": 40, "fake": 40}}
    json.dumps(metrics, allow_nan=False)


def test_below_the_floor_is_said(good: pd.DataFrame, bad: pd.DataFrame, splits: pd.DataFrame) -> None:
    better, worse = evidence_of(good, splits, 300, 0), evidence_of(bad, splits, 300, 0)
    assert (better["below_baseline"], worse["below_baseline"]) == (False, True)
    assert worse["gap_to_baseline"]["high"] < 0
    difference = worse["test"]["item"]["roc_auc"]["value"] - worse["baseline"]["test"]["item"]["roc_auc"]["value"]
    assert worse["gap_to_baseline"]["value"] == pytest.approx(difference)


def test_the_gap_is_paired(splits: pd.DataFrame) -> None:
    scored = predictions(splits, 1.0, 1.0)
    twins = evidence_of(scored.assign(baseline_score=scored["score"]), splits, 300, 0)
    assert twins["gap_to_baseline"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert twins["below_baseline"] is False


def test_a_slice_with_too_few_items_says_so(splits: pd.DataFrame) -> None:
    test_videos = splits[(splits["split"] == "test") & (splits["kind"] == "video") & (splits["label"] == "real")]
    fewer = splits.drop(test_videos.index[3:])
    metrics = evidence_of(predictions(fewer, 9.0, 1.0), fewer, 100, 0)
    assert "model" in metrics["per_kind"]["image"]
    assert set(metrics["per_kind"]["video"]) == {"counts", "too_few"}
    assert "3 real" in metrics["per_kind"]["video"]["too_few"]


def test_every_figure_is_that_of_scikit_learn(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = evidence_of(good, splits)
    for split in ("val", "test"):
        items = item_table(good[good["split"] == split], "mean")
        for column, told in (("score", metrics), ("baseline_score", metrics["baseline"])):
            fake, scores = (items["label"] == "fake").to_numpy(), items[column].to_numpy()
            calibrated = 1 / (1 + np.exp(-np.log(scores / (1 - scores)) / told["temperature"]))
            expected = {
                "roc_auc": sklearn.roc_auc_score(fake, scores),
                "pr_auc": sklearn.average_precision_score(fake, scores),
                "mcc": sklearn.matthews_corrcoef(fake, scores >= told["threshold"]),
                "f1": sklearn.f1_score(fake, scores >= told["threshold"]),
                "log_loss": sklearn.log_loss(fake, calibrated),
                "brier": sklearn.brier_score_loss(fake, calibrated),
            }
            for name, value in expected.items():
                assert told[split]["item"][name]["value"] == pytest.approx(value), (split, column, name)
    frames = good[good["split"] == "test"]
    brier = sklearn.brier_score_loss(frames["label"] == "fake", frames["score"])
    assert metrics["test"]["frame"]["brier"]["value"] == pytest.approx(brier)  # a temperature is fitted to items


def test_the_test_split_is_named_by_its_items_alone(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    named = digest_of_test_split(splits)
    assert evidence_of(good, splits)["test_split"] == named
    assert digest_of_test_split(splits.sample(frac=1, random_state=1).assign(path="elsewhere", label="real")) == named
    assert digest_of_test_split(splits.drop(splits.index[splits["split"] == "test"][0])) != named
    assert len(named) == 12


def test_the_audit_s_marks_and_what_was_not_measured(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = evidence_of(good, splits, shortcuts={"passed": False, "allowed": True, "kinds": {}})
    assert metrics["shortcuts"] == {"passed": False, "allowed": True}
    empty = pd.DataFrame(columns=["media_id"])
    without = evidence_of(good, splits, held_out=empty, robustness=empty, regression=empty)
    for told in (metrics, without):
        assert [told[name] for name in ("held_out", "robustness", "regression")] == [None] * 3


def test_the_majority_class_is_that_of_training(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    reals = splits[(splits["split"] == "train") & (splits["label"] == "real")]
    majority = evidence_of(good, splits.drop(reals.index[5:]), 100, 0)["majority"]
    assert majority["label"] == "fake"
    assert majority["test"]["item"]["accuracy"]["value"] == 0.5
    assert majority["test"]["item"]["roc_auc"]["value"] == 0.5


def test_few_test_items_give_figures_without_intervals() -> None:
    few = split_table(24)
    metrics = evidence_of(predictions(few, 9.0, 1.0), few, 100, 0)
    assert metrics["test"]["item"]["roc_auc"]["low"] is None
    assert "4 real and 4 fake" in metrics["test"]["item"]["too_few"]


def test_equal_seeds_give_equal_figures(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    assert evidence_of(good, splits, 200, 7) == evidence_of(good, splits, 200, 7)
    assert evidence_of(good, splits, 200, 7) != evidence_of(good, splits, 200, 8)


def test_aggregates() -> None:
    scores = np.array([0.1, 0.2, 0.9])
    assert item_score(scores, "mean") == pytest.approx(0.4)
    assert item_score(scores, "median") == pytest.approx(0.2)
    frames = pd.DataFrame({"media_id": ["b", "a", "a", "a"], "label": ["real"] * 4, "index": [0, 0, 1, 2], "score": [0.5, *scores]})
    table = item_table(frames, "median", ["score"])
    assert table.to_dict("list") == {"media_id": ["a", "b"], "label": ["real", "real"], "score": [pytest.approx(0.2), 0.5]}


def test_the_threshold_comes_from_validation_items_only(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    plain = evidence_of(good, splits)
    for split, moves in (("test", False), ("val", True)):
        changed = evidence_of(good.assign(score=good["score"].where(good["split"] != split, good["score"] ** 4)), splits)
        for fitted in ("threshold", "temperature", "band"):
            assert (changed[fitted] != plain[fitted]) is moves, (split, fitted)
