"""Figures of the robustness test and of the regression set."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from realframe.evaluation import regression_set, robustness

THRESHOLD = 0.45


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Sixty items: unchanged, blurred at two levels (at level 3 the scores are random), and the videos as H.264."""
    random = np.random.default_rng(1)
    items = pd.DataFrame({"media_id": [f"m{number}" for number in range(60)], "label": ["real", "fake"] * 30})
    items = items.assign(kind=np.where(np.arange(60) % 3 > 0, "video", "image"), cluster=items["media_id"])
    unchanged = 1 / (1 + np.exp(-(random.normal(size=60) + 2.5 * ((items["label"] == "fake") - 0.5))))
    versions = [
        ("none", 0, unchanged),
        ("blur", 3, random.random(60)),
        ("blur", 1, unchanged * 0.9 + 0.1 * random.random(60)),
        ("h264", 28, unchanged**2),
    ]
    table = pd.concat(
        [items.assign(perturbation=name, level=float(level), score=score) for name, level, score in versions], ignore_index=True
    )
    return table[(table["perturbation"] != "h264") | (table["kind"] == "video")].reset_index(drop=True)


def test_each_level_is_compared_with_the_same_items_unchanged(rows: pd.DataFrame) -> None:
    found = robustness.compute_robustness_figures(rows, THRESHOLD, 300, 0)
    assert {name: [point["level"] for point in curve] for name, curve in found["curves"].items()} == {"blur": [1.0, 3.0], "h264": [28.0]}
    unchanged = rows[rows["perturbation"] == "none"].set_index("media_id")["score"]
    for name, curve in found["curves"].items():
        for point in curve:
            part = rows[(rows["perturbation"] == name) & (rows["level"] == point["level"])]
            fake, before = part["label"] == "fake", part["media_id"].map(unchanged)
            assert point["real"] + point["fake"] == len(part)
            assert point["roc_auc"]["value"] == pytest.approx(roc_auc_score(fake, part["score"]))
            assert point["drop"]["value"] == pytest.approx(roc_auc_score(fake, before) - roc_auc_score(fake, part["score"]))
            balanced = [balanced_accuracy_score(fake, scores >= THRESHOLD) for scores in (before, part["score"])]
            assert point["balanced_accuracy"]["value"] == pytest.approx(balanced[1])
            assert point["drop_balanced_accuracy"]["value"] == pytest.approx(balanced[0] - balanced[1])
    assert found["none"]["roc_auc"]["value"] == pytest.approx(roc_auc_score(rows["label"][:60] == "fake", rows["score"][:60]))
    json.dumps(found, allow_nan=False)


def test_a_monotonic_change_has_no_drop_and_the_worst_is_named(rows: pd.DataFrame) -> None:
    found = robustness.compute_robustness_figures(rows, THRESHOLD, 300, 0)
    assert found["curves"]["h264"][0]["drop"] == {"value": 0.0, "low": 0.0, "high": 0.0}  # squaring keeps the ranking
    mild, strong = (point["drop"] for point in found["curves"]["blur"])
    assert mild["low"] <= mild["value"] <= mild["high"] < strong["low"]
    assert found["worst"] == {"perturbation": "blur", "level": 3.0, "drop": strong}


def test_few_items_are_noted(rows: pd.DataFrame) -> None:
    few = robustness.compute_robustness_figures(rows[rows["media_id"].isin([f"m{number}" for number in range(8)])], THRESHOLD, 100, 0)
    assert "too_few" in few["none"]
    assert few["worst"]["drop"]["low"] is None
    one_class = robustness.compute_robustness_figures(rows[rows["label"] == "real"], THRESHOLD, 100, 0)
    assert one_class["worst"] is None


def test_regression_set_figures() -> None:
    table = pd.DataFrame(
        {
            "media_id": list("abcdef"),
            "label": ["fake", "fake", "real", "real", "fake", "real"],
            "split": ["train", "", "val", "", "test", ""],
            "score": [0.9, THRESHOLD, 0.5, 0.1, 0.2, float("nan")],
            "reason": [*[""] * 5, "its file is damaged"],
        }
    )
    assert regression_set.compute_regression_figures(table, THRESHOLD) == {
        "items": 5,
        "correct": 3,
        "not_trained": {"items": 4, "correct": 2},
        "not_scored": [{"media_id": "f", "label": "real", "reason": "its file is damaged"}],
    }
    assert regression_set.compute_regression_figures(table.iloc[:0], THRESHOLD) is None
    assert regression_set.compute_regression_figures(None, THRESHOLD) is None
