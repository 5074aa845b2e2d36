"""Train the detector on the train split; validation selects the epoch and the hyperparameters. Everything is logged to MLflow."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import mlflow
import pandas as pd
from filelock import FileLock

from realframe import artifacts, config
from realframe.caching.code_digest import code_digest
from realframe.config import Params, replace_train_values
from realframe.data import manifest
from realframe.data.batches import build_frame_table
from realframe.files import atomic_path, write_text
from realframe.models import backbones
from realframe.models.weights import BackboneWeights, find_weights
from realframe.registry import mlflow_runs
from realframe.settings import Settings, get_settings
from realframe.threads import configure_tensorflow
from realframe.training import detector_training, hyperparameter_search, training_phase
from realframe.training.callbacks import EpochListener
from realframe.training.history_plot import plot_history
from realframe.training.training_job import TrainingJob, TrainingOutcome

_RUN_ID_FILE = "run_id"


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA)
    frames = {split: build_frame_table(splits, artifacts.CLEAN_FRAMES, split) for split in ("train", "val")}
    weights = find_weights(params.train.weights, backbones.get_backbone(params.train.backbone), settings)
    if weights.name == "random":
        print(f"{params.train.backbone} starts from random weights: with ImageNet weights its figures would differ")
    digest = detector_training.training_digest(params, frames, weights.sha256, code_digest("pipelines.train"))
    state_dir = settings.state_dir / "training" / digest
    training_phase.delete_abandoned_states(state_dir.parent)
    state_dir.mkdir(parents=True, exist_ok=True)
    with FileLock(state_dir.with_suffix(".lock")):
        _train(weights, params, splits, frames, state_dir, settings)
        training_phase.delete_state(state_dir)


def _train(
    weights: BackboneWeights,
    params: Params,
    splits: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    state_dir: Path,
    settings: Settings,
) -> None:
    version = manifest.compute_dataset_digest(splits)
    tags = {"realframe.recipe": params.recipe, "realframe.weights": weights.name}
    dump = params.model_dump(mode="json", exclude_none=True)
    test_split, resumed = manifest.compute_test_split_digest(splits), _find_run_to_resume(state_dir)
    with mlflow_runs.start_mlflow_run(params.recipe, dump, artifacts.SPLITS, version, test_split, tags, resumed) as run_id:
        write_text(state_dir / _RUN_ID_FILE, run_id)
        job = detector_training.create_job(params, frames, state_dir, settings)
        tuned, tuning_seconds = _search_hyperparameters(params, job, weights)
        train = replace_train_values(params.train, tuned)
        model = detector_training.make_model_builder(params, weights)(train)
        job = replace(job, train=train, listeners=(_make_epoch_logger(train.phase1.epochs),))
        outcome = detector_training.train_detector(model, job)
        record = _make_record(run_id, params, weights, version, splits, frames, outcome)
        _write_outputs(model, outcome, {**record, "tuned": tuned, "tuning_seconds": round(tuning_seconds, 1)})


def _search_hyperparameters(params: Params, job: TrainingJob, weights: BackboneWeights) -> tuple[dict[str, Any], float]:
    """Return the best values of the search, if any, and the seconds that it took in this process."""
    if not params.tune.trials:
        return {}, 0.0
    print(f"the search compares {params.tune.objective} on the validation split, whose items come from sources of the training", flush=True)
    start = time.monotonic()
    tuned = hyperparameter_search.search_hyperparameters(
        params, job, detector_training.make_model_builder(params, weights), job.state_dir / "tuning", _open_trial
    )
    mlflow.log_params({f"tuned.{key}": str(value) for key, value in tuned.items()})
    return tuned, time.monotonic() - start


@contextmanager
def _open_trial(trial: hyperparameter_search.SearchTrial) -> Iterator[hyperparameter_search.TrialListener]:
    """Log a trial as a nested MLflow run."""
    with mlflow_runs.start_nested_mlflow_run(f"trial {trial.number}", trial.values, _find_run_to_resume(trial.folder)) as run_id:
        write_text(trial.folder / _RUN_ID_FILE, run_id)
        yield hyperparameter_search.TrialListener(_make_epoch_logger(0), lambda value: mlflow.log_metric("objective", value))


def _make_epoch_logger(phase1_epochs: int) -> EpochListener:
    """Return a listener that logs each epoch to the active MLflow run; the steps of phase 2 follow those of phase 1."""
    return lambda row: mlflow_runs.log_epoch(row, row["epoch"] + (phase1_epochs if row["phase"] == 2 else 0))


def _write_outputs(model: keras.Model, outcome: TrainingOutcome, record: dict[str, Any]) -> None:
    history = pd.DataFrame(outcome.history)
    with atomic_path(artifacts.MODEL) as temporary:
        model.save(temporary)
    with atomic_path(artifacts.HISTORY) as temporary:
        history.drop(columns="seconds").to_csv(temporary, index=False)
    write_text(artifacts.TRAINING, json.dumps(record, indent=2) + "\n")
    mlflow.log_figure(plot_history(history), "curves.png")
    mlflow.log_artifact(str(artifacts.HISTORY))
    mlflow.log_artifact(str(artifacts.TRAINING))


def _make_record(
    run_id: str,
    params: Params,
    weights: BackboneWeights,
    version: str,
    splits: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    outcome: TrainingOutcome,
) -> dict[str, Any]:
    counts = {
        split: {"items": int((splits["split"] == split).sum()), "frames": len(table), "fake_frames": int(table["label"].sum())}
        for split, table in frames.items()
    }
    return {
        "run_id": run_id,
        "recipe": params.recipe,
        "backbone": params.train.backbone,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "unfrozen": outcome.unfrozen,
        "best": {name: outcome.best[name] for name in ("phase", "epoch", "val_loss", "val_auc")},
        "seconds": round(outcome.seconds, 1),
        "activations_computed": outcome.computed_activations,
        "dataset": version,
        "counts": counts,
    }


def _find_run_to_resume(folder: Path) -> str | None:
    file = folder / _RUN_ID_FILE
    run_id = file.read_text() if file.exists() else None
    return run_id if run_id and mlflow_runs.run_exists(run_id) else None


if __name__ == "__main__":
    main()
