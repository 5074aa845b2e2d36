"""Calibration and verdicts: fitted on validation items, counted on test items."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from realframe.models.aggregate import item_table
from realframe.statistics import calibration
from tests.scored_items import evidence_of, predictions, split_table


@pytest.fixture(scope="module")
def scored() -> tuple[pd.DataFrame, dict[str, Any]]:
    """The test items and the evidence of a detector that is five times as sure as it may be."""
    splits = split_table(900)
    rows = predictions(splits, 1.5, 1.0)
    sure = rows.assign(score=calibration.apply(rows["score"].to_numpy(), 1 / 5))
    return item_table(sure[sure["split"] == "test"], "mean"), evidence_of(sure, splits, 300)


def test_calibration_takes_the_false_sureness_away(scored: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    items, metrics = scored
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    fake, raw = (items["label"] == "fake").to_numpy(), items["score"].to_numpy()
    assert metrics["temperature"] > 2
    for part, scores in ((before, raw), (after, calibration.apply(raw, metrics["temperature"]))):
        assert part["log_loss"]["value"] == pytest.approx(log_loss(fake, scores))
        assert part["brier"]["value"] == pytest.approx(brier_score_loss(fake, scores))
        assert sum(entry["items"] for entry in part["bins"]) == len(items)
    for name in ("log_loss", "ece", "brier"):
        assert after[name]["high"] < before[name]["value"], name
        assert metrics["test"]["item"][name] == after[name]


def test_verdicts_can_be_counted_anew(scored: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    items, metrics = scored
    band, told = metrics["band"], metrics["verdicts"]
    calibrated = calibration.apply(items["score"].to_numpy(), metrics["temperature"])
    said = np.select([calibrated < band["low"], calibrated > band["high"]], ["real", "ai-generated"], "uncertain")
    for label in ("real", "fake"):
        rows = (items["label"] == label).to_numpy()
        assert told[label] == {word: int((said[rows] == word).sum()) for word in ("real", "uncertain", "ai-generated")}
        wrong = told["wrong"][label]
        assert wrong["value"] == pytest.approx((said[rows] == {"real": "ai-generated", "fake": "real"}[label]).mean())
        assert wrong["low"] < wrong["value"] < wrong["high"]
        assert wrong["low"] < band["error"]  # what the band promises is not refuted
    assert told["uncertain"]["value"] == pytest.approx((said == "uncertain").mean())
    assert (band["error"], band["asked"]) == (0.1, 0.1)


def test_few_validation_items_state_a_larger_error(good: pd.DataFrame, splits: pd.DataFrame) -> None:
    fakes = splits[(splits["split"] == "val") & (splits["label"] == "fake")]["media_id"]
    metrics = evidence_of(good[~good["media_id"].isin(fakes[3:])], splits)
    assert metrics["band"]["error"] == pytest.approx(1 / 4)
    assert metrics["band"]["asked"] == 0.1
