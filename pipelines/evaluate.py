"""Score every frame of val and test, the regression set and the reference for drift, and compute the figures beside their baseline."""

import json
import logging
from typing import Any

import keras
import mlflow
import pandas as pd
from numpy import float64
from numpy.typing import NDArray

from realframe import artifacts, config
from realframe import settings as settings_module
from realframe.config import Params
from realframe.data import manifest
from realframe.data.batches import frame_table
from realframe.evaluation import clip_scores, frame_scores, regression_set, score_tables, training_reference
from realframe.evaluation.clip_scores import ClipScorer
from realframe.evaluation.figures import Tables, assemble
from realframe.evaluation.item_scores import Scorer, choose_aggregate
from realframe.files import atomic_path, write_text
from realframe.models import linear_probe
from realframe.models.aggregate import item_table
from realframe.models.frame_features import Features
from realframe.registry import mlflow_runs
from realframe.settings import get_settings
from realframe.statistics.classification_metrics import METRICS

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    settings_module.configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS)
    training = json.loads(artifacts.TRAINING.read_text())
    frames = {split: frame_table(splits, artifacts.CLEAN, split) for split in ("train", "val", "test")}
    model = frame_scores.load_model(artifacts.MODEL)

    predictions, strength = _predictions(model, frames, splits, params, settings.workers)
    val = predictions[predictions["split"] == "val"]
    how = choose_aggregate(val) if params.evaluate.aggregate == "auto" else params.evaluate.aggregate
    scorer = Scorer(model, params, how)
    score_tables.write(
        regression_set.score_folder(artifacts.REGRESSION_MEDIA, scorer, params, splits), artifacts.REGRESSION, score_tables.REGRESSION
    )
    known = training_reference.reference(scorer, frames, splits, item_table(val, how), settings.workers)
    score_tables.write(known, artifacts.REFERENCE, score_tables.REFERENCE)

    figures = assemble(
        _tables(predictions, splits),
        how,
        resamples=params.evaluate.bootstrap,
        error=params.evaluate.error,
        seed=params.seed,
        per_frame=not scorer.sequential,
    )
    figures["baseline"] |= {"strength": strength, "random_features": training["weights"]["name"] == "random"}
    origin = {
        "recipe": params.recipe,
        "backbone": params.train.backbone,
        "weights": training["weights"]["name"],
        "dataset": training["dataset"],
    }
    metrics = {**origin, **figures}
    write_text(artifacts.METRICS, json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    _log_to_mlflow(training["run_id"], metrics)


def _predictions(
    model: keras.Model, frames: dict[str, pd.DataFrame], splits: pd.DataFrame, params: Params, workers: int
) -> tuple[pd.DataFrame, float]:
    """Write and return the rows of ``predictions.parquet``, and the C that the baseline chose."""
    scored = pd.concat([frames["val"], frames["test"]], ignore_index=True)
    head, batch_size = params.train.head, params.train.batch_size
    baseline_scores, strength = _baseline(frames["train"], scored, params)
    if head.sequential:
        rows = clip_scores.clip_rows(
            clip_scores.score_clips(ClipScorer(model, head.length, batch_size), scored, workers), scored, baseline_scores
        )
    else:
        rows = scored.assign(score=frame_scores.score_frames(model, scored, batch_size, workers), baseline_score=baseline_scores)
    predictions = frame_scores.prediction_table(rows[["media_id", "index", "score", "baseline_score"]], splits)
    with atomic_path(artifacts.PREDICTIONS) as temporary:
        predictions.to_parquet(temporary, index=False)
    return predictions, strength


def _baseline(train: pd.DataFrame, scored: pd.DataFrame, params: Params) -> tuple[NDArray[float64], float]:
    """Return the baseline's scores of the frames in ``scored``, and the C that it chose."""
    features = Features.open(artifacts.FEATURES)
    baseline = linear_probe.fit(features.of_frames(train), train, params.seed)
    return linear_probe.scores(baseline, features.of_frames(scored)), linear_probe.strength_of(baseline)


def _tables(predictions: pd.DataFrame, splits: pd.DataFrame) -> Tables:
    held_out, robustness, scored, quality = (
        pd.read_parquet(path) for path in (artifacts.HELD_OUT, artifacts.ROBUSTNESS, artifacts.REGRESSION, artifacts.QUALITY)
    )
    shortcuts = json.loads(artifacts.SHORTCUTS.read_text())
    return Tables(predictions, splits, quality, shortcuts, held_out=held_out, robustness=robustness, regression=scored)


def _log_to_mlflow(run_id: str, metrics: dict[str, Any]) -> None:
    """Add the figures to the run of the training, where this tracking server knows it."""
    if not mlflow_runs.exists(run_id):
        _log.warning(
            "MLflow does not know the run %s: the model came from the DVC cache, its figures stay in %s", run_id, artifacts.METRICS
        )
        return
    with mlflow_runs.resume_run(run_id):
        mlflow.log_metrics(_flat(metrics))
        mlflow.log_artifact(str(artifacts.METRICS))


def _flat(metrics: dict[str, Any]) -> dict[str, float]:
    levels = {f"{split}_{level}": metrics[split][level] for split in ("test", "val") for level in metrics[split]}
    levels["baseline_item"] = metrics["baseline"]["test"]["item"]
    rows = {f"{level}_{name}": row[name] for level, row in levels.items() for name in METRICS}
    if metrics["held_out"]:
        rows["held_out_roc_auc"] = {part: metrics["held_out"]["macro"][part] for part in ("value", "low", "high")}
    flat = {f"{name}{'' if part == 'value' else f'_{part}'}": row[part] for name, row in rows.items() for part in row}
    flat |= {"threshold": metrics["threshold"], "temperature": metrics["temperature"], "below_baseline": float(metrics["below_baseline"])}
    return {name: value for name, value in flat.items() if value is not None}


if __name__ == "__main__":
    main()
