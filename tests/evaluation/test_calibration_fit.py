"""Calibration and verdicts: fitted on validation items, measured on test items."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from realframe.models.aggregate import aggregate_by_item
from realframe.statistics import calibration
from tests.scored_items import make_metrics, make_predictions, make_splits


@pytest.fixture(scope="module")
def scored() -> tuple[pd.DataFrame, dict[str, Any]]:
    """The test items and the metrics of a detector whose logits are five times too large."""
    splits = make_splits(900)
    rows = make_predictions(splits, 1.5, 1.0)
    overconfident = rows.assign(score=calibration.apply_temperature(rows["score"].to_numpy(), 1 / 5))
    return aggregate_by_item(overconfident[overconfident["split"] == "test"], "mean"), make_metrics(overconfident, splits, 300)


def test_calibration_corrects_overconfidence(scored: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    items, metrics = scored
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    fake, raw = (items["label"] == "fake").to_numpy(), items["score"].to_numpy()
    assert metrics["temperature"] > 2
    for part, scores in ((before, raw), (after, calibration.apply_temperature(raw, metrics["temperature"]))):
        assert part["log_loss"]["value"] == pytest.approx(log_loss(fake, scores))
        assert part["brier"]["value"] == pytest.approx(brier_score_loss(fake, scores))
        assert sum(entry["items"] for entry in part["bins"]) == len(items)
    for name in ("log_loss", "ece", "brier"):
        assert after[name]["high"] < before[name]["value"], name
        assert metrics["test"]["item"][name] == after[name]


def test_verdict_figures_match_a_recount(scored: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    items, metrics = scored
    band, figures = metrics["band"], metrics["verdicts"]
    calibrated = calibration.apply_temperature(items["score"].to_numpy(), metrics["temperature"])
    verdicts = np.select([calibrated < band["low"], calibrated > band["high"]], ["real", "ai-generated"], "uncertain")
    for label in ("real", "fake"):
        rows = (items["label"] == label).to_numpy()
        assert figures[label] == {word: int((verdicts[rows] == word).sum()) for word in ("real", "uncertain", "ai-generated")}
        wrong = figures["wrong"][label]
        assert wrong["value"] == pytest.approx((verdicts[rows] == {"real": "ai-generated", "fake": "real"}[label]).mean())
        assert wrong["low"] < wrong["value"] < wrong["high"]
        assert wrong["low"] < band["error"]  # consistent with the stated error
    assert figures["uncertain"]["value"] == pytest.approx((verdicts == "uncertain").mean())
    assert (band["error"], band["requested_error"]) == (0.1, 0.1)


def test_few_validation_items_state_a_larger_error(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    fakes = splits[(splits["split"] == "val") & (splits["label"] == "fake")]["media_id"]
    metrics = make_metrics(good_predictions[~good_predictions["media_id"].isin(fakes[3:])], splits)
    assert metrics["band"]["error"] == pytest.approx(1 / 4)
    assert metrics["band"]["requested_error"] == 0.1
