"""Train the recipe anew without each generator, and score what that one makes: what the detector is worth on the next generator."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from realframe import artifacts, config
from realframe.config import Params, with_values
from realframe.data import manifest
from realframe.evaluation import score_tables, unseen_generators
from realframe.evaluation.unseen_generators import Fold
from realframe.settings import Settings, get_settings

if TYPE_CHECKING:
    from realframe.models.weights import Weights

# What needs TensorFlow is imported where a fold is trained: a run that holds nothing out is done in a second.


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    folds = _folds(manifest.read(artifacts.SPLITS, manifest.SPLITS), params)
    scored = list(_each_scored(folds, params, settings)) if folds else []
    rows = pd.concat([part for part, _ in scored], ignore_index=True) if scored else score_tables.empty(score_tables.HELD_OUT)
    score_tables.write(rows, artifacts.HELD_OUT, score_tables.HELD_OUT)
    _forget([folder for _, folder in scored])


def _each_scored(folds: list[Fold], params: Params, settings: Settings) -> Iterator[tuple[pd.DataFrame, Path]]:
    """Yield the rows of each fold, and the folder where they are kept until all are done."""
    from realframe import settings as settings_module
    from realframe.models import backbones
    from realframe.models.weights import find

    settings_module.configure_tensorflow(settings.workers, params.seed)
    tuned = json.loads(artifacts.TRAINING.read_text())["tuned"]
    params = params.model_copy(update={"train": with_values(params.train, tuned)})
    weights = find(params.train.weights, backbones.get(params.train.backbone), settings)
    for fold in tqdm(folds, "generators held out", unit="generator"):
        yield _scored(fold, params, weights, settings)


def _folds(splits: pd.DataFrame, params: Params) -> list[Fold]:
    """Return what is trained, and say what is not, and why."""
    if not params.evaluate.leave_one_generator_out:
        print("hold_out_generators: evaluate.leave_one_generator_out is false, so nothing is measured on unseen generators")
        return []
    found = unseen_generators.generators_of(splits)
    if not found:
        print(f"hold_out_generators: it takes two generators of at least {unseen_generators.LEAST_ITEMS} items each, so none is held out")
    _say_of_unknown(splits)
    folds = [unseen_generators.without(generator, splits, params.balance, params.seed) for generator in found]
    for said in (fold.hindrance or fold.consequence for fold in folds):
        if said:
            print(f"hold_out_generators: {said}")
    return [fold for fold in folds if not fold.hindrance]


def _say_of_unknown(splits: pd.DataFrame) -> None:
    unknown = int(((splits["label"] == "fake") & (splits["generator"] == "")).sum())
    if unknown:
        print(f"hold_out_generators: {unknown} AI-generated items name no generator; each training keeps them, whoever made them")


def _scored(fold: Fold, params: Params, weights: "Weights", settings: Settings) -> tuple[pd.DataFrame, Path]:
    """Return the rows of a fold and the folder where they are kept, so that after a kill what is done is not done again."""
    from realframe.data.batches import frame_table
    from realframe.training import fit

    frames = {split: frame_table(fold.splits, artifacts.CLEAN, split) for split in ("train", "val", "test")}
    name = fit.name_of(params, frames, fold.generator, params.balance.method, params.evaluate.aggregate)
    folder = settings.state / "training" / f"held-out-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "scores.parquet"
    with FileLock(folder.with_suffix(".lock")):
        if not part.exists():
            print(f"trained without {fold.generator}:", flush=True)
            score_tables.write(
                unseen_generators.rows_of(fold, _scores(frames, params, weights, folder, settings)), part, score_tables.HELD_OUT
            )
    return pd.read_parquet(part), folder


def _scores(frames: dict[str, pd.DataFrame], params: Params, weights: "Weights", folder: Path, settings: Settings) -> dict[str, float]:
    """Train on the fold, by the code of the stage ``train``, and return the score of each item of val and test."""
    from realframe.evaluation.item_scores import open_scorer, score_table
    from realframe.training import fit

    learned = {split: frames[split] for split in ("train", "val")}
    model = fit.builder(params, weights)(params.train)
    fit.fit(model, fit.job_of(params, learned, folder, settings))
    scorer = open_scorer(model, params, frames["val"], settings.workers)
    asked = pd.concat([frames["val"], frames["test"]], ignore_index=True)
    return {media_id: scored.score for media_id, scored in score_table(scorer, asked, settings.workers)}


def _forget(folders: list[Path]) -> None:
    if folders:
        from realframe.training import training_phase

        for folder in folders:
            training_phase.forget(folder)


if __name__ == "__main__":
    main()
