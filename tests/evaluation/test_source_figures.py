"""Figures of the items whose sources were left out, against small cases computed by hand, and their empty cases."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from realframe.evaluation import real_versus_real, source_figures
from realframe.evaluation.source_figures import compute_cross_source_figures, compute_right_alarms, compute_risk_coverage
from realframe.statistics import bootstrap, classification_metrics


def make_rows(*parts: tuple[int, str, str, list[float]], kind: str = "image") -> pd.DataFrame:
    """Make rows of ``cross_source.parquet`` from fold, source, generator (empty: real) and scores."""
    rows: list[dict[str, Any]] = []
    for fold, source, generator, scores in parts:
        for score in scores:
            facts = {"label": "fake" if generator else "real", "kind": kind, "generator": generator, "source": source, "split": "train"}
            rows.append({**facts, "fold": fold, "score": score})
    table = pd.DataFrame(rows)
    ids = [f"{kind}{number:059x}" for number in range(len(table))]
    return table.assign(media_id=ids, cluster=ids)


def measure(table: pd.DataFrame, features: pd.DataFrame | None = None, splits: pd.DataFrame | None = None) -> dict[str, Any]:
    figures = compute_cross_source_figures(table, table if splits is None else splits, features, 200, 0)
    assert figures is not None
    json.dumps(figures, allow_nan=False)
    return figures


@pytest.fixture
def table() -> pd.DataFrame:
    """Three folds of a real and an AI-generated source; the detector fails on the real source `scans` and on the generator `muse`."""
    return make_rows(
        (0, "phone", "", [0.1, 0.2, 0.3, 0.1, 0.2]),
        (0, "site a", "sora", [0.8, 0.9, 0.7, 0.9, 0.8]),
        (1, "scans", "", [0.6, 0.9, 0.8, 0.7, 0.2]),
        (1, "site b", "veo", [0.9, 0.8, 0.9, 0.7, 0.8, 0.9]),
        (2, "food", "", [0.1, 0.1, 0.2, 0.2, 0.3, 0.3]),
        (2, "site c", "muse", [0.1, 0.2, 0.2, 0.1, 0.6]),
    )


def test_pooled_and_within_fold_roc_auc_are_those_of_scikit_learn(table: pd.DataFrame) -> None:
    figures = measure(table)["kinds"]["image"]
    fake = table["label"] == "fake"
    assert figures["roc_auc"]["value"] == pytest.approx(roc_auc_score(fake, table["score"]))
    within = [roc_auc_score(rows["label"] == "fake", rows["score"]) for _, rows in table.groupby("fold")]
    assert figures["within_folds"]["value"] == pytest.approx(np.mean(within))
    for name in ("roc_auc", "within_folds"):
        assert 0 <= figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"] <= 1


def test_counts_folds_and_the_worst_are_named(table: pd.DataFrame) -> None:
    metrics = measure(table)
    assert metrics["folds"][0] == {"sources": ["phone", "site a"], "items": 10}
    figures = metrics["kinds"]["image"]
    assert figures["items"] == {"real": 16, "fake": 16}
    assert figures["sources"] == {"real": 3, "fake": 3}
    assert figures["generators"] == 3
    assert "too_few" not in figures
    assert figures["worst_source"] == {"name": "scans", "value": 0.8, "what": "false_positive_rate"}
    assert figures["worst_generator"]["name"] == "muse"
    by_name = {row["name"]: row for row in figures["generators_by_name"]}
    assert by_name["muse"]["source"] == "site c"
    assert by_name["sora"]["miss_rate"]["value"] == 0.0
    rates = {row["name"]: row["false_positive_rate"] for row in figures["real_sources"]}
    assert rates["phone"]["value"] == 0.0
    assert rates["phone"]["high"] > 0.3  # five items without a mistake do not show that there are none


def test_recall_at_a_false_positive_rate_is_that_of_the_roc_curve(table: pd.DataFrame) -> None:
    figures = measure(table)["kinds"]["image"]
    false_positive_rate, recall, _ = roc_curve(table["label"] == "fake", table["score"])
    for rate in (0.05, 0.01):
        assert figures["recall_at"][f"{rate:g}"]["value"] == pytest.approx(recall[false_positive_rate <= rate].max())


@given(st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.5, 0.9]), min_size=2, max_size=30), st.sampled_from([0.0, 0.1, 0.3, 1.0]))
def test_recalls_with_weights_are_those_of_repeated_items(scores: list[float], rate: float) -> None:
    fake, values = np.arange(len(scores)) % 2 == 1, np.array(scores)
    weights = np.array([[1.0 + number % 3 for number in range(len(scores))]])
    repeated = np.repeat(np.arange(len(scores)), weights[0].astype(int))
    false_positive_rate, recall, _ = roc_curve(fake[repeated], values[repeated], drop_intermediate=False)
    expected = recall[false_positive_rate <= rate + 1e-12].max()
    assert classification_metrics.compute_recalls_at(fake, values, weights, rate)[0] == pytest.approx(expected)


def test_the_interval_is_that_of_sources_not_of_items() -> None:
    """Sources that shift all their scores make the interval wide, however many items they have."""
    random = np.random.default_rng(0)
    parts = []
    for number, shift in enumerate((-0.2, 0.0, 0.2)):
        parts.append((number, f"real {number}", "", (0.4 + shift + 0.02 * random.normal(size=300)).tolist()))
        parts.append((number, f"fake {number}", f"g{number}", (0.5 - shift + 0.02 * random.normal(size=300)).tolist()))
    roc_auc = measure(make_rows(*parts))["kinds"]["image"]["roc_auc"]
    assert roc_auc["high"] - roc_auc["low"] > 0.5


def test_nested_resamples_draw_sources_and_generators_within_them() -> None:
    sources = np.array(["a"] * 4 + ["b"] * 2 + ["c"] * 3)
    fake = np.array([False, False, True, True, False, False, True, True, True])
    groups = np.array(["", "", "g", "h", "", "", "i", "i", "k"])
    resamples = bootstrap.draw_nested_resamples(sources, groups, fake, 400, 1)
    weights = np.concatenate(list(resamples.iter_row_weights()))
    assert weights.shape == (400, 9)
    assert (weights[:, fake].sum(axis=1) > 0).all()
    assert (weights[:, ~fake].sum(axis=1) > 0).all()
    assert (weights[:, 0] == weights[:, 1]).all()  # the real items of a source stay together
    assert (weights[:, 6] == weights[:, 7]).all()  # and those of a generator
    drawn_a = weights[:, 0]
    assert (weights[:, 2] + weights[:, 3] == 2 * drawn_a).all()  # generators are drawn as often as the source, and within it
    assert (weights[:, 2] != weights[:, 3]).any()
    assert set(drawn_a) >= {0.0, 1.0, 2.0}
    again = bootstrap.draw_nested_resamples(sources, groups, fake, 400, 1)
    assert (again.counts == resamples.counts).all()


def test_right_alarms_by_hand() -> None:
    measured = {
        "coverage": {"real": {"value": 0.5}, "fake": {"value": 0.6}},
        "wrong": {"real": {"value": 0.05}, "fake": {"value": 0.1}},
    }
    shares = compute_right_alarms(measured, 100)
    assert shares is not None
    assert shares["0.5"] == pytest.approx(0.5 / 0.55)
    assert shares["0.01"] == pytest.approx(0.01 * 0.5 / (0.01 * 0.5 + 0.99 * 0.05))
    assert list(shares) == ["0.01", "0.1", "0.5"]


def test_no_false_alarm_among_few_items_is_not_certainty() -> None:
    measured = {"coverage": {"real": {"value": 0.5}, "fake": {"value": 0.5}}, "wrong": {"real": {"value": 0.0}, "fake": {"value": 0.0}}}
    shares = compute_right_alarms(measured, 8)
    assert shares is not None
    assert shares["0.5"] == pytest.approx(0.5 / 0.6)  # one false alarm in ten cannot be excluded
    assert compute_right_alarms(None, 8) is None


def test_risk_coverage_by_hand() -> None:
    fake = np.array([True, True, False, False])
    rows = compute_risk_coverage(fake, np.array([False, True, False, True]), np.array([4.0, 1.0, 3.0, 2.0]))
    assert rows == [
        {"coverage": 0.25, "wrong": 0.0},
        {"coverage": 0.5, "wrong": 0.0},
        {"coverage": 0.75, "wrong": pytest.approx(1 / 3)},
        {"coverage": 1.0, "wrong": 0.5},
    ]
    ties = compute_risk_coverage(fake, np.array([False, True, False, True]), np.ones(4))
    assert ties == [{"coverage": 1.0, "wrong": 0.5}]


def test_without_a_table_there_is_nothing_and_without_folds_a_sentence(table: pd.DataFrame) -> None:
    assert compute_cross_source_figures(None, table, None, 200, 0) is None
    metrics = measure(table.head(0), splits=table)
    assert metrics["folds"] == []
    figures = metrics["kinds"]["image"]
    assert "trained without their source" in figures["too_few"]
    assert figures["roc_auc"] == {"value": None, "low": None, "high": None}
    assert figures["margin"] is None


def test_a_kind_with_too_few_sources_has_a_sentence_beside_one_with_enough(table: pd.DataFrame) -> None:
    clips = make_rows((0, "phone", "", [0.1, 0.2]), (1, "site b", "veo", [0.9]), kind="video")
    metrics = measure(pd.concat([table, clips], ignore_index=True))
    assert "1 source of real and 1 source of AI-generated videos" in metrics["kinds"]["video"]["too_few"]
    assert "too_few" not in metrics["kinds"]["image"]


@pytest.mark.parametrize("scores", [[0.5], [0.5, 0.5], [0.0, 1.0]])
def test_sources_of_one_item_and_ties_are_measured_without_an_exception(scores: list[float]) -> None:
    parts = [(number, f"real {number}", "", scores) for number in range(3)]
    parts += [(number, f"fake {number}", f"g{number}", scores) for number in range(3)]
    figures = measure(make_rows(*parts))["kinds"]["image"]
    assert figures["roc_auc"]["value"] == 0.5
    assert figures["worst_source"] is None  # none has enough items to be named


def test_a_fold_of_one_class_does_not_count_within_folds(table: pd.DataFrame) -> None:
    parts = pd.concat([table, make_rows((3, "cats", "", [0.9] * 5)).assign(media_id=[f"c{n}" for n in range(5)])], ignore_index=True)
    assert measure(parts)["kinds"]["image"]["within_folds"]["value"] == measure(table)["kinds"]["image"]["within_folds"]["value"]


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_rows_give_figures_in_their_ranges(data: st.DataObject) -> None:
    scores = st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]), min_size=1, max_size=7)
    sources, generators = st.integers(0, 7).map("s{}".format), st.sampled_from(["", "", "sora", "veo"])
    parts = data.draw(st.lists(st.tuples(st.integers(0, 3), sources, generators, scores), min_size=1, max_size=14))
    figures = measure(make_rows(*parts))["kinds"]["image"]
    if "too_few" not in figures:
        assert 0 <= figures["roc_auc"]["value"] <= 1
        assert figures["recall_at"]["0.01"]["value"] <= figures["recall_at"]["0.05"]["value"]
        coverages = [row["coverage"] for row in figures["risk_coverage"]]
        assert coverages == sorted(coverages)
        assert coverages[-1] == pytest.approx(1)


def make_features(table: pd.DataFrame, distance: float) -> pd.DataFrame:
    """Make features in which each source is shifted in a direction of its own."""
    random = np.random.default_rng(0)
    codes = pd.factorize(table["source"])[0]
    values = random.normal(size=(len(table), 8)) + distance * np.eye(8)[codes % 8]
    return pd.DataFrame({"media_id": table["media_id"], "mean": list(values.astype(np.float32))})


def test_real_sources_that_features_tell_apart_are_reported() -> None:
    table = make_rows(*((0, f"s{n}", "", [0.5] * 30) for n in range(3)), (0, "tiny", "", [0.5] * 3))
    apart = real_versus_real.compare_real_sources(table, make_features(table, 8.0), 0)
    assert apart["pairs"] == 3
    assert apart["value"] > 0.98
    assert apart["is_high"]
    assert len(apart["highest"]["sources"]) == 2
    alike = real_versus_real.compare_real_sources(table, make_features(table, 0.0), 0)
    assert 0.3 < alike["value"] < 0.7
    assert not alike["is_high"]


def test_copies_of_one_item_do_not_tell_sources_apart() -> None:
    """The folds hold out clusters: otherwise a source of near-duplicates is recognized by the duplicates."""
    table = make_rows(*((0, f"s{n}", "", [0.5] * 30) for n in range(2)))
    table["cluster"] = [f"{source}{number % 6}" for number, source in enumerate(table["source"])]
    random = np.random.default_rng(1)
    by_cluster = {name: random.normal(size=40) for name in table["cluster"].unique()}
    features = pd.DataFrame({"media_id": table["media_id"], "mean": [by_cluster[name] for name in table["cluster"]]})
    assert real_versus_real.compare_real_sources(table, features, 0)["value"] < 0.9


def test_without_features_or_sources_nothing_is_compared(table: pd.DataFrame) -> None:
    nothing = {"value": None, "pairs": 0, "highest": None, "is_high": False}
    assert real_versus_real.compare_real_sources(table, None, 0) == nothing
    small = make_rows((0, "a", "", [0.5] * 4), (0, "b", "", [0.5] * 4))
    assert real_versus_real.compare_real_sources(small, make_features(small, 9.0), 0) == nothing


def test_the_margin_is_the_difference_to_real_versus_real(table: pd.DataFrame) -> None:
    figures = measure(table, make_features(table, 6.0))["kinds"]["image"]
    assert figures["margin"] == pytest.approx(figures["roc_auc"]["value"] - figures["real_versus_real"]["value"])
    assert source_figures.add_right_alarms(None, {}) is None
