"""Robustness and the regression set: figures beside the same items as they are, and counts of what is right."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from realframe.evaluation import regression_set, robustness

AT = 0.45


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Sixty items as they are, blurred twice (the second time to nothing), and the videos among them as H.264."""
    random = np.random.default_rng(1)
    items = pd.DataFrame({"media_id": [f"m{number}" for number in range(60)], "label": ["real", "fake"] * 30})
    items = items.assign(kind=np.where(np.arange(60) % 3 > 0, "video", "image"), cluster=items["media_id"])
    plain = 1 / (1 + np.exp(-(random.normal(size=60) + 2.5 * ((items["label"] == "fake") - 0.5))))
    made = [("none", 0, plain), ("blur", 3, random.random(60)), ("blur", 1, plain * 0.9 + 0.1 * random.random(60)), ("h264", 28, plain**2)]
    every = pd.concat([items.assign(perturbation=name, level=float(level), score=score) for name, level, score in made], ignore_index=True)
    return every[(every["perturbation"] != "h264") | (every["kind"] == "video")].reset_index(drop=True)


def test_each_level_stands_beside_the_same_items(rows: pd.DataFrame) -> None:
    found = robustness.robustness_figures(rows, AT, 300, 0)
    assert {name: [point["level"] for point in curve] for name, curve in found["curves"].items()} == {"blur": [1.0, 3.0], "h264": [28.0]}
    plain = rows[rows["perturbation"] == "none"].set_index("media_id")["score"]
    for name, curve in found["curves"].items():
        for point in curve:
            part = rows[(rows["perturbation"] == name) & (rows["level"] == point["level"])]
            fake, before = part["label"] == "fake", part["media_id"].map(plain)
            assert point["real"] + point["fake"] == len(part)
            assert point["roc_auc"]["value"] == pytest.approx(roc_auc_score(fake, part["score"]))
            assert point["drop"]["value"] == pytest.approx(roc_auc_score(fake, before) - roc_auc_score(fake, part["score"]))
            balanced = [balanced_accuracy_score(fake, scores >= AT) for scores in (before, part["score"])]
            assert point["balanced_accuracy"]["value"] == pytest.approx(balanced[1])
            assert point["drop_balanced_accuracy"]["value"] == pytest.approx(balanced[0] - balanced[1])
    assert found["none"]["roc_auc"]["value"] == pytest.approx(roc_auc_score(rows["label"][:60] == "fake", rows["score"][:60]))
    json.dumps(found, allow_nan=False)


def test_what_keeps_the_order_costs_nothing_and_the_worst_is_named(rows: pd.DataFrame) -> None:
    found = robustness.robustness_figures(rows, AT, 300, 0)
    assert found["curves"]["h264"][0]["drop"] == {"value": 0.0, "low": 0.0, "high": 0.0}  # squares rank as their roots do
    mild, strong = (point["drop"] for point in found["curves"]["blur"])
    assert mild["low"] <= mild["value"] <= mild["high"] < strong["low"]
    assert found["worst"] == {"perturbation": "blur", "level": 3.0, "drop": strong}


def test_few_items_say_so(rows: pd.DataFrame) -> None:
    few = robustness.robustness_figures(rows[rows["media_id"].isin([f"m{number}" for number in range(8)])], AT, 100, 0)
    assert "too_few" in few["none"]
    assert few["worst"]["drop"]["low"] is None
    one_class = robustness.robustness_figures(rows[rows["label"] == "real"], AT, 100, 0)
    assert one_class["worst"] is None


def test_the_regression_set_is_counted() -> None:
    table = pd.DataFrame(
        {
            "media_id": list("abcde"),
            "label": ["fake", "fake", "real", "real", "fake"],
            "split": ["train", "", "val", "", "test"],
            "score": [0.9, AT, 0.5, 0.1, 0.2],
        }
    )
    assert regression_set.measure(table, AT) == {"items": 5, "right": 3, "not_trained": {"items": 4, "right": 2}}
    assert regression_set.measure(table.iloc[:0], AT) is None
    assert regression_set.measure(None, AT) is None
