"""Figures of held-out generators: each at the threshold of its own detector, the mean, and the drop on the same items."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from realframe.evaluation.unseen_generators import compute_unseen_figures
from realframe.statistics.classification_metrics import choose_threshold

SEPARATION = {"sora": 3.0, "veo": 0.5, "rare": 3.0}


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of three detectors, each trained without one generator, and of the detector that has seen all generators."""
    random = np.random.default_rng(3)
    rows = []
    for generator, count in {"sora": 40, "veo": 60, "rare": 3}.items():
        shared = [("real", "", f"r{number}") for number in range(50)]
        own = [("fake", generator, f"{generator}{number}") for number in range(count)]
        for split, items in (
            ("test", shared + own),
            ("val", [(label, "", f"v{number}{label}") for number in range(30) for label in ("real", "fake")]),
        ):
            for label, made_by, name in items:
                score = 1 / (1 + np.exp(-(random.normal() + SEPARATION[generator] * ((label == "fake") - 0.5))))
                rows.append((generator, split, name, label, "video", made_by, "", f"c{name}", score))
    columns = ["held_out", "split", "media_id", "label", "kind", "generator", "source", "cluster", "score"]
    held_out = pd.DataFrame(rows, columns=columns)
    names = held_out.loc[held_out["split"] == "test", ["media_id", "label"]].drop_duplicates()
    in_test = names[~names["media_id"].str.match(r"(sora|veo)(1|2)\d")]  # the others were training items of the detector that has seen all
    seen = 1 / (1 + np.exp(-(random.normal(size=len(in_test)) + 3 * ((in_test["label"] == "fake") - 0.5))))
    return held_out, in_test.assign(score=seen)


def _area(part: pd.DataFrame, column: str = "score") -> float:
    return float(roc_auc_score(part["label"] == "fake", part[column]))


def test_figures_of_each_generator(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    held_out, test = tables
    found = compute_unseen_figures(held_out, test, 300, 0)
    assert [(row["name"], row["real"], row["fake"]) for row in found["generators"]] == [("rare", 50, 3), ("sora", 50, 40), ("veo", 50, 60)]
    for row in found["generators"]:
        rows = held_out[held_out["held_out"] == row["name"]]
        val, part = rows[rows["split"] == "val"], rows[rows["split"] == "test"]
        assert row["threshold"] == choose_threshold((val["label"] == "fake").to_numpy(), val["score"].to_numpy())
        assert row["roc_auc"]["value"] == pytest.approx(_area(part))
        fakes = part[part["label"] == "fake"]
        assert row["recall"]["value"] == pytest.approx((fakes["score"] >= row["threshold"]).mean())
        assert ("too_few" in row) is (row["name"] == "rare")


def test_the_mean_counts_generators_with_enough_items(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    held_out, test = tables
    macro = compute_unseen_figures(held_out, test, 300, 0)["macro"]
    tested = held_out[held_out["split"] == "test"]
    areas = [_area(tested[tested["held_out"] == name]) for name in ("sora", "veo")]
    assert macro["generators"] == ["sora", "veo"]
    assert macro["value"] == pytest.approx(np.mean(areas))
    assert 0 < macro["high"] - macro["low"] < 0.25
    assert macro["low"] < macro["value"] < macro["high"]


def test_the_drop_is_on_the_same_items(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    held_out, test = tables
    same = compute_unseen_figures(held_out, test, 300, 0)["same_items"]
    both = held_out[held_out["split"] == "test"].merge(test[["media_id", "score"]], on="media_id", suffixes=("", "_seen"))
    parts = [both[both["held_out"] == name] for name in ("sora", "veo")]
    assert same["unseen"]["value"] == pytest.approx(np.mean([_area(part) for part in parts]))
    assert same["seen"]["value"] == pytest.approx(np.mean([_area(part, "score_seen") for part in parts]))
    assert same["drop"]["value"] == pytest.approx(same["seen"]["value"] - same["unseen"]["value"])
    assert 0 < same["drop"]["low"] < same["drop"]["value"] < same["drop"]["high"]


def test_shared_real_items_are_resampled_together() -> None:
    """Folds with equal scores for the same items add no information: the mean has the same interval width."""
    random = np.random.default_rng(0)
    real = pd.DataFrame({"media_id": [f"r{n}" for n in range(40)], "label": "real", "score": random.random(40)})
    folds = []
    for name in ("a", "b", "c", "d"):
        fake = pd.DataFrame({"media_id": [f"{name}{n}" for n in range(400)], "label": "fake", "score": np.linspace(0, 1, 400)})
        folds.append(pd.concat([real, fake]).assign(held_out=name, split="test"))
    rows = pd.concat(folds, ignore_index=True).assign(cluster=lambda table: table["media_id"])
    rows = pd.concat([rows, rows.assign(split="val")], ignore_index=True)
    found = compute_unseen_figures(rows, real.iloc[:0], 500, 0)
    single = found["generators"][0]["roc_auc"]
    assert found["macro"]["high"] - found["macro"]["low"] == pytest.approx(single["high"] - single["low"], rel=0.25)
    assert found["same_items"]["drop"] == {"value": None, "low": None, "high": None}
    assert found["same_items"]["seen"]["generators"] == []


def test_too_few_items_give_no_mean(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    held_out, test = tables
    found = compute_unseen_figures(held_out[held_out["held_out"] == "rare"], test, 100, 0)
    assert found["macro"] == {"value": None, "low": None, "high": None, "generators": []}
    assert len(found["generators"]) == 1


def test_a_small_generator_is_in_every_resample(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    held_out, test = tables
    small = held_out[(held_out["generator"] != "sora") | held_out["media_id"].isin([f"sora{number}" for number in range(5)])]
    macro = compute_unseen_figures(small, test, 2000, 0)["macro"]
    assert macro["generators"] == ["sora", "veo"]
    assert macro["low"] is not None
