"""Train the recipe anew without each generator, and score what that one makes: what the detector is worth on the next generator."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.dataset.batches import frame_table
from bonafide.evaluation import held_out, tables
from bonafide.evaluation.held_out import Fold
from bonafide.evaluation.scoring import open_scorer, score_table
from bonafide.models import backbones
from bonafide.models.weights import Weights, find
from bonafide.params import Params, with_values
from bonafide.settings import Settings, get_settings
from bonafide.training import fitting, phase, runtime


def main() -> None:
    """Run the stage."""
    settings, run = get_settings(), params.load(artefacts.RESOLVED)
    runtime.prepare(settings.workers, run.seed)
    splits = manifest.read(artefacts.SPLITS, manifest.SPLITS)
    folds = _folds(splits, run)
    scored = list(_each_scored(folds, run, settings)) if folds else []
    rows = pd.concat([part for part, _ in scored], ignore_index=True) if scored else pd.DataFrame(columns=held_out.SCHEMA.names)
    tables.write(rows, artefacts.HELD_OUT, held_out.SCHEMA)
    for _, folder in scored:
        phase.forget(folder)


def _each_scored(folds: list[Fold], run: Params, settings: Settings) -> Iterator[tuple[pd.DataFrame, Path]]:
    """Yield the rows of each fold, and the folder where they are kept until all are done."""
    tuned = json.loads(artefacts.TRAINING.read_text())["tuned"]
    run = run.model_copy(update={"train": with_values(run.train, tuned)})
    weights = find(run.train.weights, backbones.get(run.train.backbone), settings)
    for fold in tqdm(folds, "generators held out", unit="generator"):
        yield _scored(fold, run, weights, settings)


def _folds(splits: pd.DataFrame, run: Params) -> list[Fold]:
    """Return what is trained, and say what is not, and why."""
    if not run.evaluate.leave_one_generator_out:
        print("hold_out_generators: evaluate.leave_one_generator_out is false, so nothing is measured on unseen generators")
        return []
    found = held_out.generators_of(splits)
    if not found:
        print(f"hold_out_generators: it takes two generators of at least {held_out.LEAST_ITEMS} items each, so none is held out")
    _say_of_unknown(splits)
    folds = [held_out.without(generator, splits, run.balance, run.seed) for generator in found]
    for said in (fold.hindrance or fold.consequence for fold in folds):
        if said:
            print(f"hold_out_generators: {said}")
    return [fold for fold in folds if not fold.hindrance]


def _say_of_unknown(splits: pd.DataFrame) -> None:
    unknown = int(((splits["label"] == "fake") & (splits["generator"] == "")).sum())
    if unknown:
        print(f"hold_out_generators: {unknown} AI-generated items name no generator; each training keeps them, whoever made them")


def _scored(fold: Fold, run: Params, weights: Weights, settings: Settings) -> tuple[pd.DataFrame, Path]:
    """Return the rows of a fold and the folder where they are kept, so that after a kill what is done is not done again."""
    frames = {split: frame_table(fold.splits, artefacts.CLEAN, split) for split in ("train", "val", "test")}
    name = fitting.name_of(run, frames, fold.generator, run.balance.method, run.evaluate.aggregate)
    folder = settings.state / "training" / f"held-out-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "scores.parquet"
    with FileLock(folder.with_suffix(".lock")):
        if not part.exists():
            print(f"trained without {fold.generator}:", flush=True)
            tables.write(held_out.rows_of(fold, _scores(frames, run, weights, folder, settings)), part, held_out.SCHEMA)
    return pd.read_parquet(part), folder


def _scores(frames: dict[str, pd.DataFrame], run: Params, weights: Weights, folder: Path, settings: Settings) -> dict[str, float]:
    """Train on the fold, by the code of the stage ``train``, and return the score of each item of val and test."""
    learned = {split: frames[split] for split in ("train", "val")}
    model = fitting.builder(run, weights)(run.train)
    fitting.fit(model, fitting.job_of(run, learned, folder, settings))
    scorer = open_scorer(model, run, frames["val"], settings.workers)
    asked = pd.concat([frames["val"], frames["test"]], ignore_index=True)
    return {media_id: scored.score for media_id, scored in score_table(scorer, asked, settings.workers)}


if __name__ == "__main__":
    main()
