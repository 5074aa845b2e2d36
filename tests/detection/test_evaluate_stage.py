"""The stage ``evaluate`` on a small run: its tables, its figures, and what it logs to MLflow."""

import sqlite3

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from realframe import artifacts as artifacts_module
from tests.detection.conftest import EvaluatedRun

COLUMNS = ["media_id", "label", "kind", "generator", "source", "cluster", "split", "index", "score", "baseline_score"]


@pytest.fixture(scope="module")
def predictions(evaluated_run: EvaluatedRun) -> pd.DataFrame:
    return pd.read_parquet(evaluated_run.folder / artifacts_module.PREDICTIONS)


def test_every_frame_of_val_and_test_is_scored(evaluated_run: EvaluatedRun, predictions: pd.DataFrame) -> None:
    assert list(predictions.columns) == COLUMNS
    items = evaluated_run.splits[evaluated_run.splits["split"] != "train"]
    assert set(predictions["media_id"]) == set(items["media_id"])
    clips = predictions[predictions["kind"] == "video"].groupby("media_id")["index"].apply(list)
    assert clips.tolist() == [[0, 1, 2], [0, 1, 2]]  # 3 seconds, one frame each
    assert predictions[["score", "baseline_score"]].apply(lambda column: column.between(0, 1).all()).all()
    assert predictions["score"].nunique() > 20


def test_metrics_follow_from_the_predictions(evaluated_run: EvaluatedRun, predictions: pd.DataFrame) -> None:
    items = (
        predictions[predictions["split"] == "test"].groupby("media_id").agg({"label": "first", "score": "mean", "baseline_score": "mean"})
    )
    metrics = evaluated_run.metrics
    assert metrics["test"]["item"]["roc_auc"]["value"] == pytest.approx(roc_auc_score(items["label"] == "fake", items["score"]))
    assert metrics["baseline"]["test"]["item"]["roc_auc"]["value"] == pytest.approx(
        roc_auc_score(items["label"] == "fake", items["baseline_score"])
    )
    assert metrics["baseline"]["random_features"] is True
    assert metrics["weights"] == "random"


def test_the_report_and_its_plots_are_written(evaluated_run: EvaluatedRun) -> None:
    html = (evaluated_run.folder / artifacts_module.REPORT).read_text()
    assert "Random weights" in html
    assert "Below its baseline" in html if evaluated_run.metrics["below_baseline"] else "Below its baseline" not in html
    assert len(list((evaluated_run.folder / artifacts_module.FIGURES).glob("*.png"))) == 11


def test_the_figures_are_logged_to_the_training_run(evaluated_run: EvaluatedRun) -> None:
    with sqlite3.connect(evaluated_run.folder / "state" / "mlflow.db") as database:
        logged = dict(database.execute("select key, value from latest_metrics"))
        runs = database.execute("select count(*) from runs").fetchone()[0]
    database.close()
    assert runs == 1
    item = evaluated_run.metrics["test"]["item"]["roc_auc"]
    assert logged["test_item_roc_auc"] == pytest.approx(item["value"])
    assert logged["test_item_roc_auc_low"] == pytest.approx(item["low"])
    assert logged["baseline_item_roc_auc"] == pytest.approx(evaluated_run.metrics["baseline"]["test"]["item"]["roc_auc"]["value"])
    artifacts = {path.name for path in (evaluated_run.folder / "state" / "mlartifacts").rglob("*") if path.is_file()}
    assert {"report.html", "metrics.json", "roc.png"} <= artifacts
