"""Train the detector on the train split; validation chooses the epoch. Every epoch goes to MLflow."""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras
import mlflow
import pandas as pd
from filelock import FileLock

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.dataset.batches import frame_table
from bonafide.files import atomic_path, write_text
from bonafide.models import detector
from bonafide.models.features import Features
from bonafide.models.weights import Weights
from bonafide.params import Params
from bonafide.settings import Settings, get_settings
from bonafide.tracking import experiment
from bonafide.training import curves, phase, runtime, temporal, two_phase
from bonafide.training.job import Job, Outcome

_RUN_ID = "run_id"


def main() -> None:
    """Run the stage."""
    settings, run = get_settings(), params.load(artefacts.RESOLVED)
    runtime.prepare(settings.workers, run.seed)
    splits = manifest.read(artefacts.SPLITS, manifest.SPLITS)
    frames = {split: frame_table(splits, artefacts.CLEAN, split) for split in ("train", "val")}
    model, weights = detector.open_backbone(run.train.backbone, run.train.weights, run.clean.size, run.train.head, run.seed, settings)
    if weights.name == "random":
        print(f"{run.train.backbone} starts from random weights: its figures say nothing of what it reaches with ImageNet weights")
    folder = settings.state / "training" / _key(run, frames)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        _train(model, weights, run, splits, frames, folder, settings)
        phase.forget(folder)


def _train(
    model: keras.Model,
    weights: Weights,
    run: Params,
    splits: pd.DataFrame,
    frames: dict[str, pd.DataFrame],
    folder: Path,
    settings: Settings,
) -> None:
    version = manifest.dataset_version(splits)
    tags = {"bonafide.recipe": run.recipe, "bonafide.weights": weights.name}
    dump = run.model_dump(mode="json", exclude_none=True)
    with experiment.open_run(run.recipe, dump, artefacts.SPLITS, version, tags, _run_to_go_on_with(folder)) as run_id:
        write_text(folder / _RUN_ID, run_id)
        first = run.train.phase1.epochs
        job = Job(
            train=run.train,
            seed=run.seed,
            frames=frames,
            features=Features.open(artefacts.FEATURES),
            smote=run.balance.method == "smote",
            cache=settings.cache_dir,
            folder=folder,
            workers=settings.workers,
            listeners=(lambda row: experiment.log_epoch(row, row["epoch"] + (first if row["phase"] == 2 else 0)),),
        )
        outcome = temporal.fit(model, job) if run.train.head.sequential else two_phase.fit(model, job)
        _write(model, outcome, _record(run_id, run, weights, version, splits, frames, outcome))


def _write(model: keras.Model, outcome: Outcome, record: dict[str, Any]) -> None:
    history = pd.DataFrame(outcome.history)
    with atomic_path(artefacts.MODEL) as temporary:
        model.save(temporary)
    with atomic_path(artefacts.HISTORY) as temporary:
        history.drop(columns="seconds").to_csv(temporary, index=False)
    write_text(artefacts.TRAINING, json.dumps(record, indent=2) + "\n")
    mlflow.log_figure(curves.draw(history), "curves.png")
    mlflow.log_artifact(str(artefacts.HISTORY))
    mlflow.log_artifact(str(artefacts.TRAINING))


def _record(
    run_id: str,
    run: Params,
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
        "recipe": run.recipe,
        "backbone": run.train.backbone,
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "unfrozen": outcome.unfrozen,
        "best": {name: outcome.best[name] for name in ("phase", "epoch", "val_loss", "val_auc")},
        "seconds": round(outcome.seconds, 1),
        "activations_computed": outcome.computed,
        "dataset": version,
        "counts": counts,
    }


def _key(run: Params, frames: dict[str, pd.DataFrame]) -> str:
    """Name what a training depends on, so that a killed one is found again by the same training only."""
    shards = {split: sorted(table["digest"].unique()) for split, table in frames.items()}
    facts = json.dumps([run.recipe, run.seed, run.clean.size, run.train.model_dump(), shards], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _run_to_go_on_with(folder: Path) -> str | None:
    kept = folder / _RUN_ID
    run_id = kept.read_text() if kept.exists() else None
    return run_id if run_id and experiment.exists(run_id) else None


if __name__ == "__main__":
    main()
