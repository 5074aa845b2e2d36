"""Verdicts: fitted on items of sources that the training did not see, or on validation items; measured on test items; competence."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, log_loss

from realframe.evaluation.scored_rows import ScoredRows
from realframe.evaluation.verdict_fit import KindRule, fit_verdicts
from realframe.models.aggregate import aggregate_by_item
from realframe.statistics.calibration import fit_platt_scaling
from realframe.statistics.classification_metrics import compute_probability_metrics
from realframe.statistics.conformal import fit_band
from realframe.statistics.source_weights import WeightsByItem
from tests.scored_items import make_metrics, make_predictions, make_splits

STATEMENT = {"roc_auc": {"value": 0.8, "low": 0.7, "high": 0.9}}


@pytest.fixture(scope="module")
def scored() -> tuple[pd.DataFrame, dict[str, Any]]:
    """The test items and the metrics of a detector whose logits are five times too large."""
    splits = make_splits(900)
    rows = make_predictions(splits, 1.5, 1.0)
    overconfident = rows.assign(score=expit(5 * logit(rows["score"])))
    return aggregate_by_item(overconfident[overconfident["split"] == "test"], "mean"), make_metrics(overconfident, splits, 300)


def _probabilities(items: pd.DataFrame, metrics: dict[str, Any]) -> np.ndarray:
    rules = items["kind"].map(metrics["verdict"])
    slopes, intercepts = (np.array([rule[name] for rule in rules]) for name in ("slope", "intercept"))
    return np.clip(expit(slopes * logit(np.clip(items["score"], 1e-6, 1 - 1e-6)) + intercepts), 0.01, 0.99)


def test_calibration_corrects_overconfidence(scored: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    items, metrics = scored
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    fake, raw = (items["label"] == "fake").to_numpy(), items["score"].to_numpy()
    assert all(0 < metrics["verdict"][kind]["slope"] < 0.5 for kind in ("image", "video"))
    for part, scores in ((before, raw), (after, _probabilities(items, metrics))):
        assert part["log_loss"]["value"] == pytest.approx(log_loss(fake, scores))
        assert part["brier"]["value"] == pytest.approx(brier_score_loss(fake, scores))
        assert sum(entry["items"] for entry in part["bins"]) == len(items)
    for name in ("log_loss", "ece", "brier"):
        assert after[name]["high"] < before[name]["value"], name
        assert metrics["test"]["item"][name] == after[name]


def test_verdict_figures_match_a_recount(scored: tuple[pd.DataFrame, dict[str, Any]]) -> None:
    items, metrics = scored
    figures, probabilities = metrics["verdicts"], _probabilities(items, metrics)
    bands = [metrics["verdict"][kind]["band"] for kind in items["kind"]]
    low, high = (np.array([band[name] for band in bands]) for name in ("low", "high"))
    verdicts = np.select([probabilities < low, probabilities > high], ["real", "ai-generated"], "uncertain")
    for label in ("real", "fake"):
        rows = (items["label"] == label).to_numpy()
        assert figures[label] == {word: int((verdicts[rows] == word).sum()) for word in ("real", "uncertain", "ai-generated")}
        wrong = figures["wrong"][label]
        assert wrong["value"] == pytest.approx((verdicts[rows] == {"real": "ai-generated", "fake": "real"}[label]).mean())
        assert wrong["low"] < wrong["value"] < wrong["high"]
        assert wrong["low"] < bands[0]["error"]  # consistent with the stated error
    assert figures["uncertain"]["value"] == pytest.approx((verdicts == "uncertain").mean())
    assert (bands[0]["error"], bands[0]["requested_error"]) == (0.1, 0.1)


def _left_out(random: np.random.Generator, sources: int, shift: float = 1.0, apart: float = 2.0, items: int = 30) -> pd.DataFrame:
    """Draw the images of sources that were left out: two of one class and one of both in turn, four folds."""
    rows = []
    for number in range(sources):
        offset = shift * random.normal()
        for label in (("real",), ("fake",), ("real", "fake"))[number % 3]:
            scores = expit((apart if label == "fake" else -apart) / 2 + offset + random.normal(size=items))
            rows += [
                {
                    "label": label,
                    "source": f"s{number}",
                    "generator": f"g{number}" if label == "fake" else "",
                    "fold": number % 4,
                    "score": score,
                }
                for score in scores
            ]
    table = pd.DataFrame(rows).assign(kind="image")
    splits = np.array(["train", "train", "val", "test"])[np.arange(len(table)) % 4]
    return table.assign(split=splits, media_id=[f"{number:064x}" for number in range(len(table))], cluster=table["source"])


def _fit(table: pd.DataFrame | None, statement: dict[str, Any] | None = STATEMENT, **columns: str) -> dict[str, Any]:
    """Fit the verdicts on images to items left out and to 40 validation items that are ranked perfectly."""
    val = pd.DataFrame({"label": ["real", "fake"] * 20, "score": [0.2, 0.8] * 20, "kind": "image", "source": "v", "generator": ""})
    val = val.assign(cluster=[f"c{number}" for number in range(40)])
    dataset = (val if table is None else table).assign(**columns)
    figures = None if statement is None else {"folds": [], "kinds": {"image": statement}}
    return dict(fit_verdicts(ScoredRows(val, 200, 0), "score", dataset, (table, figures), error=0.2, auc_limit=0.6))["image"]


def test_the_rule_is_fitted_to_items_of_unseen_sources_without_the_test_split() -> None:
    table = _left_out(np.random.default_rng(1), 18)
    verdict, used = _fit(table), table[table["split"] != "test"]
    assert verdict["fitted_on"] == "cross-source"
    assert verdict["items"] == {label: int((used["label"] == label).sum()) for label in ("real", "fake")}
    assert verdict["sources"] == {"real": 12, "fake": 12}
    fake, scores = (used["label"] == "fake").to_numpy(), used["score"].to_numpy()
    weights = WeightsByItem.by_source(fake, used["source"].to_numpy(), used["generator"].to_numpy())
    scaling = fit_platt_scaling(fake, scores, weights)
    assert (verdict["slope"], verdict["intercept"]) == (scaling.slope, scaling.intercept)
    band = fit_band(fake, scaling.apply(scores), 0.2, weights)
    assert verdict["band"] == {"low": band.low, "high": band.high, "error": 0.2, "requested_error": 0.2}
    changed = table.assign(score=table["score"].where(table["split"] != "test", 0.5))
    assert _fit(changed) == verdict


def test_the_measured_error_applies_each_rule_to_the_fold_that_it_was_fitted_without() -> None:
    table = _left_out(np.random.default_rng(2), 18)
    used = table[table["split"] != "test"].reset_index(drop=True)
    verdicts, probabilities = np.full(len(used), "uncertain", dtype=object), np.zeros(len(used))
    for fold in range(4):
        own = (used["fold"] == fold).to_numpy()
        rest = used[~own]
        fake = (rest["label"] == "fake").to_numpy()
        weights = WeightsByItem.by_source(fake, rest["source"].to_numpy(), rest["generator"].to_numpy())
        rule = KindRule.fit(fake, rest["score"].to_numpy(), 0.2, weights)
        verdicts[own] = rule.find_verdicts(used["score"].to_numpy()[own])
        probabilities[own] = rule.calibration.apply(used["score"].to_numpy()[own])
    measured = _fit(table)["measured"]
    fake = (used["label"] == "fake").to_numpy()
    weights = WeightsByItem.by_source(fake, used["source"].to_numpy(), used["generator"].to_numpy())
    ece = compute_probability_metrics(fake, probabilities, weights.values[None])["ece"][0]
    assert measured["ece"]["low"] <= measured["ece"]["value"] == pytest.approx(ece)
    for label, wrong in (("real", "ai-generated"), ("fake", "real")):
        rows = used[used["label"] == label].assign(verdict=verdicts[used["label"] == label])
        by_source = rows.groupby("source")["verdict"]
        figure = measured["wrong"][label]
        assert figure["value"] == pytest.approx(by_source.agg(lambda values: (values == wrong).mean()).mean())  # noqa: B023
        assert figure["low"] <= figure["value"] <= figure["high"]
        assert measured["coverage"][label]["value"] == pytest.approx(by_source.agg(lambda values: (values != "uncertain").mean()).mean())


def test_over_many_datasets_the_measured_error_is_at_most_the_stated_one() -> None:
    random = np.random.default_rng(3)
    fitted = [_fit(_left_out(random, 18, shift=1.5, apart=1.0, items=8)) for _ in range(12)]
    for label in ("real", "fake"):
        wrong = [verdict["measured"]["wrong"][label]["value"] for verdict in fitted]
        assert np.mean(wrong) <= 0.2 + 0.02, label
        assert np.mean([verdict["measured"]["coverage"][label]["value"] for verdict in fitted]) > 0.2


def test_the_calibration_varies_with_the_sources() -> None:
    """Many items of few sources leave the calibration as uncertain as few items of these sources do."""
    spreads = {}
    for sources, items in ((9, 10), (9, 200), (60, 10)):
        resamples = _fit(_left_out(np.random.default_rng(4), sources, items=items))["resamples"]
        assert len(resamples["slope"]) == len(resamples["intercept"]) == 200
        spreads[sources, items] = np.std(resamples["intercept"])
    assert spreads[9, 200] > 0.5 * spreads[9, 10]
    assert spreads[60, 10] < 0.7 * spreads[9, 200]


@pytest.mark.parametrize("table", [None, _left_out(np.random.default_rng(5), 3)])
def test_without_a_statement_the_validation_items_give_the_rule_and_there_is_no_verdict(table: pd.DataFrame | None) -> None:
    statement = None if table is None else {"too_few": "Only 2 sources.", "roc_auc": {"value": None, "low": None, "high": None}}
    verdict = _fit(table, statement)
    assert (verdict["fitted_on"], verdict["items"], verdict["measured"]) == ("validation", {"real": 20, "fake": 20}, None)
    assert verdict["slope"] > 0
    competence = verdict["competence"]
    assert (competence["is_competent"], competence["code"], competence["roc_auc_low"]) == (False, "too-few-sources", None)
    assert "no verdict on images" in competence["reason"]
    assert ("Only 2 sources." if statement else "too few sources of images, or not at all.") in competence["reason"]


def test_a_kind_whose_ranking_may_be_poor_gets_no_verdict() -> None:
    table = _left_out(np.random.default_rng(6), 18)
    assert _fit(table)["competence"] == {"is_competent": True, "code": "", "reason": "", "roc_auc_low": 0.7, "limit": 0.6}
    poor = _fit(table, {"roc_auc": {"value": 0.65, "low": 0.55, "high": 0.75}})["competence"]
    assert (poor["is_competent"], poor["code"], poor["roc_auc_low"]) == (False, "low-roc-auc", 0.55)
    assert "65%" in poor["reason"] and "55%" in poor["reason"] and "60%" in poor["reason"]


@pytest.mark.parametrize("column", ["source", "generator"])
def test_a_kind_with_rendered_media_gets_no_verdict(column: str) -> None:
    """Rendered sources are easily told apart from others, so they would raise the measured ROC-AUC."""
    competence = _fit(_left_out(np.random.default_rng(7), 18), **{column: "demo-phone"})["competence"]
    assert (competence["is_competent"], competence["code"]) == (False, "rendered-training")
    assert "rendered for a demonstration" in competence["reason"]


def test_one_class_alone_leaves_everything_uncertain() -> None:
    val = pd.DataFrame({"label": ["real"] * 9, "score": 0.3, "kind": "image", "source": "v", "generator": "", "cluster": list("abcdefghi")})
    verdict = fit_verdicts(ScoredRows(val, 200, 0), "score", val, (None, None), error=0.1, auc_limit=0.6)["image"]
    assert (verdict["band"]["low"], verdict["band"]["high"], verdict["band"]["error"]) == (0.0, 1.0, 1.0)
    assert verdict["resamples"] == {"slope": [], "intercept": []}


def test_few_validation_items_state_a_larger_error(good_predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    fakes = splits[(splits["split"] == "val") & (splits["label"] == "fake") & (splits["kind"] == "image")]["media_id"]
    verdict = make_metrics(good_predictions[~good_predictions["media_id"].isin(fakes[3:])], splits)["verdict"]
    assert verdict["image"]["band"]["error"] == pytest.approx(1 / 4)
    assert verdict["image"]["band"]["requested_error"] == 0.1
