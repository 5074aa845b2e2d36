"""Train the detector on the train split; validation chooses the epoch, and before it the values that are searched. All goes to MLflow."""

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
from realframe import settings as settings_module
from realframe.config import Params, with_values
from realframe.data import manifest
from realframe.data.batches import frame_table
from realframe.files import atomic_path, write_text
from realframe.models import backbones
from realframe.models.weights import Weights, find
from realframe.registry import mlflow_runs
from realframe.settings import Settings, get_settings
from realframe.training import callbacks, fit, hyperparameter_search, training_phase
from realframe.training.callbacks import Listener
from realframe.training.training_job import Job, Outcome

_RUN_ID = "run_id"


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    settings_module.configure_tensorflow(settings.workers, params.seed)
    splits = manifest.read(artifacts.SPLITS, manifest.SPLITS)
    frames = {split: frame_table(splits, artifacts.CLEAN, split) for split in ("train", "val")}
    weights = find(params.train.weights, backbones.get(params.train.backbone), settings)
    if weights.name == "random":
        print(f"{params.train.backbone} starts from random weights: its figures say nothing of what it reaches with ImageNet weights")
    folder = settings.state / "training" / fit.name_of(params, frames)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        _train(weights, params, splits, frames, folder, settings)
        training_phase.forget(folder)


def _train(
    weights: Weights,
    params: Params,
    splits: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    folder: Path,
    settings: Settings,
) -> None:
    version = manifest.dataset_version(splits)
    tags = {"realframe.recipe": params.recipe, "realframe.weights": weights.name}
    dump = params.model_dump(mode="json", exclude_none=True)
    with mlflow_runs.open_run(params.recipe, dump, artifacts.SPLITS, version, tags, _run_to_go_on_with(folder)) as run_id:
        write_text(folder / _RUN_ID, run_id)
        job = fit.job_of(params, frames, folder, settings)
        tuned, tuning_seconds = _search(params, job, weights)
        train = with_values(params.train, tuned)
        model, job = fit.builder(params, weights)(train), replace(job, train=train, listeners=(_logger(train.phase1.epochs),))
        outcome = fit.fit(model, job)
        record = _record(run_id, params, weights, version, splits, frames, outcome)
        _write(model, outcome, {**record, "tuned": tuned, "tuning_seconds": round(tuning_seconds, 1)})


def _search(params: Params, job: Job, weights: Weights) -> tuple[dict[str, Any], float]:
    """Return the best values of a search, and its seconds in this process; nothing and none without a search."""
    if not params.tune.trials:
        return {}, 0.0
    began = time.monotonic()
    tuned = hyperparameter_search.search(params, job, fit.builder(params, weights), job.folder / "tuning", _followed)
    mlflow.log_params({f"tuned.{key}": str(value) for key, value in tuned.items()})
    return tuned, time.monotonic() - began


@contextmanager
def _followed(trial: hyperparameter_search.Trial) -> Iterator[hyperparameter_search.Follower]:
    """Let a trial be a run of its own below the training's."""
    with mlflow_runs.nested_run(f"trial {trial.number}", trial.values, _run_to_go_on_with(trial.folder)) as run_id:
        write_text(trial.folder / _RUN_ID, run_id)
        yield hyperparameter_search.Follower(_logger(0), lambda value: mlflow.log_metric("objective", value))


def _logger(first: int) -> Listener:
    """Return what logs an epoch to the open run; those of phase 2 come after the ``first`` of phase 1."""
    return lambda row: mlflow_runs.log_epoch(row, row["epoch"] + (first if row["phase"] == 2 else 0))


def _write(model: keras.Model, outcome: Outcome, record: dict[str, Any]) -> None:
    history = pd.DataFrame(outcome.history)
    with atomic_path(artifacts.MODEL) as temporary:
        model.save(temporary)
    with atomic_path(artifacts.HISTORY) as temporary:
        history.drop(columns="seconds").to_csv(temporary, index=False)
    write_text(artifacts.TRAINING, json.dumps(record, indent=2) + "\n")
    mlflow.log_figure(callbacks.draw(history), "curves.png")
    mlflow.log_artifact(str(artifacts.HISTORY))
    mlflow.log_artifact(str(artifacts.TRAINING))


def _record(
    run_id: str,
    params: Params,
    weights: Weights,
    version: str,
    splits: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    outcome: Outcome,
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
        "activations_computed": outcome.computed,
        "dataset": version,
        "counts": counts,
    }


def _run_to_go_on_with(folder: Path) -> str | None:
    kept = folder / _RUN_ID
    run_id = kept.read_text() if kept.exists() else None
    return run_id if run_id and mlflow_runs.exists(run_id) else None


if __name__ == "__main__":
    main()
