"""Slices: every item in the right one, with the share that is called right, and no figure where there is too little to say."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from realframe.evaluation import slices
from realframe.models.aggregate import item_table
from tests.scored_items import evidence_of


def _facts(**columns: list) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A table of splits whose items differ in these columns only, and its items in reverse."""
    count = len(next(iter(columns.values())))
    usual = {"label": "fake", "kind": "video", "generator": "sora", "source": "web", "codec": "h264", "width": 640, "height": 480}
    splits = pd.DataFrame({"media_id": [f"m{number}" for number in range(count)], **usual, "duration_s": 6.0} | columns)
    return splits, splits[["media_id"]].iloc[::-1].reset_index(drop=True)


def _light(splits: pd.DataFrame, light: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"media_id": splits["media_id"].repeat(2), "kept": [True, False] * len(splits), "brightness": np.repeat(light, 2)})


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
def test_each_item_is_in_its_slice(dimension: str, columns: dict[str, list], expected: list[str | None]) -> None:
    splits, items = _facts(**columns)
    found = slices.dimensions(items, splits, _light(splits, [100.0] * 4))[dimension]
    assert [None if pd.isna(name) else name for name in found] == expected[::-1]


def test_brightness_is_that_of_the_frames_that_were_kept() -> None:
    splits, items = _facts(codec=["h264"] * 3)
    quality = _light(splits, [84.0, 170.0, 100.0])
    quality.loc[~quality["kept"], "brightness"] = 255.0
    assert list(slices.dimensions(items, splits, quality)["brightness"]) == ["medium", "bright", "dark"]


def test_figures_of_slices_can_be_recomputed(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics = evidence_of(good, splits, 200)
    items = item_table(good[good["split"] == "test"], "mean").merge(splits[["media_id", "codec", "height"]], on="media_id")
    items["right"] = (items["score"] >= metrics["threshold"]) == (items["label"] == "fake")
    assert {dimension: sum(row["real"] + row["fake"] for row in rows) for dimension, rows in metrics["slices"].items()} == {
        "generator": 20, "source": 40, "codec": 40, "resolution": 40, "duration": 40, "brightness": 40,
    }  # fmt: skip
    for row in metrics["slices"]["codec"]:
        part = items[items["codec"] == row["name"]]
        assert row["right"]["value"] == pytest.approx(part["right"].mean())
        assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(part["label"] == "fake", part["score"]))
    for row in metrics["slices"]["generator"]:
        part = items[items["generator"] == row["name"]]
        rivals = items[(items["label"] == "real") & items["kind"].isin(part["kind"])]
        assert (row["real"], row["fake"]) == (0, len(part))
        assert row["right"]["value"] == pytest.approx(part["right"].mean())
        assert row["right"]["low"] <= row["right"]["value"] <= row["right"]["high"]
        both = pd.concat([part, rivals])
        assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(both["label"] == "fake", both["score"]))


def test_a_slice_without_a_mistake_keeps_an_exact_bound(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    perfect = good.assign(score=np.where(good["label"] == "fake", 0.9, 0.1))
    for row in evidence_of(perfect, splits)["slices"]["generator"]:
        bound = stats.binomtest(row["fake"], row["fake"]).proportion_ci(method="exact").low
        assert row["right"] == {"value": 1.0, "low": pytest.approx(bound), "high": 1.0}


def test_a_rare_generator_is_counted_not_rated(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    sora = good.loc[(good["generator"] == "sora") & (good["split"] == "test"), "media_id"].unique()
    rows = evidence_of(good[~good["media_id"].isin(sora[2:])], splits)["slices"]["generator"]
    assert [row["name"] for row in rows] == ["veo", "sora"]
    assert "too_few" not in rows[0]
    assert rows[1]["fake"] == 2
    assert rows[1]["too_few"].startswith("Only 2 items")
    assert rows[1]["right"]["low"] is None
    assert "roc_auc" not in rows[1]


def test_items_of_one_cluster_are_one_witness(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    together = good.assign(cluster=good["cluster"].where(good["generator"] != "sora", "one shoot"))
    (row,) = (row for row in evidence_of(together, splits)["slices"]["generator"] if row["name"] == "sora")
    assert row["fake"] == 10
    assert "too_few" in row


def test_a_generator_of_images_is_ranked_against_real_images(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    painter = (splits["generator"] == "sora") & (splits["kind"] == "image")
    named = splits.assign(generator=splits["generator"].mask(painter, "painter"))
    (row,) = (row for row in evidence_of(good, named)["slices"]["generator"] if row["name"] == "painter")
    items = item_table(good[good["split"] == "test"], "mean")
    painted = items["media_id"].isin(named.loc[painter, "media_id"])
    both = items[painted | ((items["label"] == "real") & (items["kind"] == "image"))]
    assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(both["label"] == "fake", both["score"]))
