"""Slices: each item is in the right slice, the figures match scikit-learn, and slices with too few items have a note."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from realframe.evaluation import slices
from realframe.models.aggregate import aggregate_by_item
from tests.scored_items import make_metrics


def _make_splits(**columns: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a splits table whose items differ only in these columns, and its items in reverse order."""
    count = len(next(iter(columns.values())))
    defaults = {"label": "fake", "kind": "video", "generator": "sora", "source": "web", "codec": "h264", "width": 640, "height": 480}
    splits = pd.DataFrame({"media_id": [f"m{number}" for number in range(count)], **defaults, "duration_s": 6.0} | columns)
    return splits, splits[["media_id"]].iloc[::-1].reset_index(drop=True)


def _make_quality(splits: pd.DataFrame, brightness: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {"media_id": splits["media_id"].repeat(2), "is_kept": [True, False] * len(splits), "brightness": np.repeat(brightness, 2)}
    )


@pytest.mark.parametrize(
    ("dimension", "columns", "expected"),
    [
        (
            "resolution",
            {"width": [640, 1920, 720, 3840], "height": [479, 480, 1280, 1080]},
            ["under 480", "480 to 719", "720 to 1079", "1080 and more"],
        ),
        (
            "duration",
            {"duration_s": [0.0, 4.9, 5.0, 15.0], "kind": ["image", "video", "video", "video"]},
            ["image", "under 5 s", "5 to 15 s", "15 s and more"],
        ),
        ("generator", {"generator": ["", "sora", "", "veo"], "label": ["real", "fake", "fake", "fake"]}, [None, "sora", "unknown", "veo"]),
        ("source", {"source": ["", "web", "web", "phone"]}, ["unknown", "web", "web", "phone"]),
        ("codec", {"codec": ["hevc", "h264", "vp9", "vp9"]}, ["hevc", "h264", "vp9", "vp9"]),
    ],
)
def test_each_item_is_assigned_to_its_slice(dimension: str, columns: dict[str, list], expected: list[str | None]) -> None:
    splits, items = _make_splits(**columns)
    found = slices.assign_slices(items, splits, _make_quality(splits, [100.0] * 4))[dimension]
    assert [None if pd.isna(name) else name for name in found] == expected[::-1]


def test_brightness_uses_kept_frames_only() -> None:
    splits, items = _make_splits(codec=["h264"] * 3)
    quality = _make_quality(splits, [84.0, 170.0, 100.0])
    quality.loc[~quality["is_kept"], "brightness"] = 255.0
    assert list(slices.assign_slices(items, splits, quality)["brightness"]) == ["medium", "bright", "dark"]


def test_slice_figures_match_scikit_learn(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = make_metrics(good_predictions, splits, 200)
    items = aggregate_by_item(good_predictions[good_predictions["split"] == "test"], "mean").merge(
        splits[["media_id", "codec", "height"]], on="media_id"
    )
    items["correct"] = (items["score"] >= metrics["threshold"]) == (items["label"] == "fake")
    assert {dimension: sum(row["real"] + row["fake"] for row in rows) for dimension, rows in metrics["slices"].items()} == {
        "generator": 20, "source": 40, "codec": 40, "resolution": 40, "duration": 40, "brightness": 40,
    }  # fmt: skip
    for row in metrics["slices"]["codec"]:
        part = items[items["codec"] == row["name"]]
        assert row["accuracy"]["value"] == pytest.approx(part["correct"].mean())
        assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(part["label"] == "fake", part["score"]))
    for row in metrics["slices"]["generator"]:
        part = items[items["generator"] == row["name"]]
        real = items[(items["label"] == "real") & items["kind"].isin(part["kind"])]
        assert (row["real"], row["fake"]) == (0, len(part))
        assert row["accuracy"]["value"] == pytest.approx(part["correct"].mean())
        assert row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"]
        both = pd.concat([part, real])
        assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(both["label"] == "fake", both["score"]))


def test_a_slice_without_mistakes_has_an_exact_bound(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    perfect = good_predictions.assign(score=np.where(good_predictions["label"] == "fake", 0.9, 0.1))
    for row in make_metrics(perfect, splits)["slices"]["generator"]:
        bound = stats.binomtest(row["fake"], row["fake"]).proportion_ci(method="exact").low
        assert row["accuracy"] == {"value": 1.0, "low": pytest.approx(bound), "high": 1.0}


def test_a_rare_generator_has_counts_but_no_metrics(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    sora = good_predictions.loc[(good_predictions["generator"] == "sora") & (good_predictions["split"] == "test"), "media_id"].unique()
    rows = make_metrics(good_predictions[~good_predictions["media_id"].isin(sora[2:])], splits)["slices"]["generator"]
    assert [row["name"] for row in rows] == ["veo", "sora"]
    assert "too_few" not in rows[0]
    assert rows[1]["fake"] == 2
    assert rows[1]["too_few"].startswith("Only 2 items")
    assert rows[1]["accuracy"]["low"] is None
    assert "roc_auc" not in rows[1]


def test_items_of_one_cluster_count_once(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    together = good_predictions.assign(cluster=good_predictions["cluster"].where(good_predictions["generator"] != "sora", "one shoot"))
    (row,) = (row for row in make_metrics(together, splits)["slices"]["generator"] if row["name"] == "sora")
    assert row["fake"] == 10
    assert "too_few" in row


def test_a_generator_of_images_is_ranked_against_real_images(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    painter = (splits["generator"] == "sora") & (splits["kind"] == "image")
    named = splits.assign(generator=splits["generator"].mask(painter, "painter"))
    (row,) = (row for row in make_metrics(good_predictions, named)["slices"]["generator"] if row["name"] == "painter")
    items = aggregate_by_item(good_predictions[good_predictions["split"] == "test"], "mean")
    painted = items["media_id"].isin(named.loc[painter, "media_id"])
    both = items[painted | ((items["label"] == "real") & (items["kind"] == "image"))]
    assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(both["label"] == "fake", both["score"]))
