"""Score val and test, the regression set and the training reference, and compute the evaluation figures.

Writes ``reports/predictions.parquet``, ``regression.parquet``, ``training_reference.parquet`` and ``metrics.json``.
"""

import json
import logging
from typing import Any

import keras
import mlflow
import pandas as pd
from numpy import float64
from numpy.typing import NDArray

from realframe import artifacts, config
from realframe.config import Params
from realframe.data import manifest, source_groups
from realframe.data.batches import build_frame_table
from realframe.evaluation import network_scores, regression_set, scored_rows, source_figures, training_reference
from realframe.evaluation.figures import EvaluationTables, compute_figures
from realframe.evaluation.item_scores import ItemScorer, choose_aggregate
from realframe.evaluation.network_scores import ClipScorer
from realframe.files import write_text
from realframe.models import linear_probe
from realframe.models.aggregate import aggregate_by_item
from realframe.models.frame_features import MEANS_FILE, FrameFeatures
from realframe.registry import mlflow_runs, run_figures
from realframe.settings import get_settings
from realframe.tables import write_table
from realframe.threads import configure_tensorflow

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    training = json.loads(artifacts.TRAINING.read_text())
    frames = {split: build_frame_table(splits, artifacts.CLEAN_FRAMES, split) for split in ("train", "val", "test")}
    model = network_scores.load_model(artifacts.MODEL)

    predictions, baseline_c = _score_val_and_test(model, frames, splits, params, settings.workers)
    write_table(predictions, artifacts.PREDICTIONS, scored_rows.PREDICTIONS)
    val = predictions[predictions["split"] == "val"]
    aggregate = choose_aggregate(val) if params.evaluate.aggregate == "auto" else params.evaluate.aggregate
    scorer = ItemScorer(model, params, aggregate)
    write_table(
        regression_set.score_regression_set(artifacts.REGRESSION_MEDIA, scorer, params, splits),
        artifacts.REGRESSION_SCORES,
        scored_rows.REGRESSION,
    )
    reference = training_reference.build_training_reference(scorer, frames, splits, aggregate_by_item(val, aggregate), settings.workers)
    write_table(reference, artifacts.TRAINING_REFERENCE, scored_rows.TRAINING_REFERENCE)

    figures = compute_figures(
        _load_tables(predictions, splits),
        aggregate,
        resamples=params.evaluate.bootstrap,
        error=params.evaluate.error,
        auc_limit=params.evaluate.min_cross_source_auc,
        seed=params.seed,
        per_frame=not scorer.scores_clips,
    )
    figures["baseline"] |= {"C": baseline_c, "random_features": training["weights"]["name"] == "random"}
    figures["selection"] = {
        "regularization": linear_probe.select_group_column(frames["train"]),
        "validation": dict.fromkeys(sorted(splits["kind"].unique()), "cluster")
        | dict.fromkeys(source_groups.list_kinds_validated_on_other_sources(splits), "source"),
    }
    for sentence in source_figures.describe_selection(figures["selection"]):
        _log.info(sentence)
    identity = {
        "recipe": params.recipe,
        "backbone": params.train.backbone,
        "weights": training["weights"]["name"],
        "dataset": training["dataset"],
    }
    metrics = {**identity, **figures}
    write_text(artifacts.METRICS, json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    _log_to_mlflow(training["run_id"], metrics)


def _score_val_and_test(
    model: keras.Model, frames: dict[str, pd.DataFrame], splits: pd.DataFrame, params: Params, workers: int
) -> tuple[pd.DataFrame, float]:
    """Return the rows of ``predictions.parquet``, and the regularization parameter C of the baseline."""
    scored = pd.concat([frames["val"], frames["test"]], ignore_index=True)
    head, batch_size = params.train.head, params.train.batch_size
    baseline_scores, baseline_c = _score_with_baseline(frames["train"], scored, params)
    if head.scores_clips:
        rows = network_scores.build_clip_rows(
            network_scores.score_clips(ClipScorer(model, head.length, batch_size), scored, workers), scored, baseline_scores
        )
    else:
        rows = scored.assign(score=network_scores.score_frame_table(model, scored, batch_size, workers), baseline_score=baseline_scores)
    return network_scores.build_prediction_table(rows[["media_id", "index", "score", "baseline_score"]], splits), baseline_c


def _score_with_baseline(train: pd.DataFrame, scored: pd.DataFrame, params: Params) -> tuple[NDArray[float64], float]:
    """Fit the baseline on the training frames; return its scores of the frames in ``scored``, and its regularization parameter C."""
    features = FrameFeatures.open(artifacts.FEATURES)
    baseline = linear_probe.fit_probe(features.load_frames(train), train, params.seed)
    return linear_probe.predict_scores(baseline, features.load_frames(scored)), linear_probe.get_c(baseline)


def _load_tables(predictions: pd.DataFrame, splits: pd.DataFrame) -> EvaluationTables:
    return EvaluationTables(
        predictions,
        splits,
        quality=pd.read_parquet(artifacts.QUALITY),
        shortcuts=json.loads(artifacts.SHORTCUTS.read_text()),
        held_out=pd.read_parquet(artifacts.HELD_OUT),
        cross_source=pd.read_parquet(artifacts.CROSS_SOURCE),
        features=pd.read_parquet(artifacts.FEATURES / MEANS_FILE),
        robustness=pd.read_parquet(artifacts.ROBUSTNESS),
        regression=pd.read_parquet(artifacts.REGRESSION_SCORES),
    )


def _log_to_mlflow(run_id: str, metrics: dict[str, Any]) -> None:
    """Log the metrics to the MLflow run of the training, if the tracking server has it."""
    if not mlflow_runs.run_exists(run_id):
        _log.warning("MLflow has no run %s: the model came from the DVC cache. Its figures are in %s only", run_id, artifacts.METRICS)
        return
    with mlflow_runs.resume_mlflow_run(run_id):
        run_figures.log_figures(metrics)
        mlflow.log_artifact(str(artifacts.METRICS))


if __name__ == "__main__":
    main()
