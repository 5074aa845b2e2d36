"""Train the recipe once without each generator, and score the items of that generator: the performance on unseen generators."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock
from tqdm import tqdm

from realframe import artifacts, config
from realframe.caching.code_digest import code_digest
from realframe.config import Params, replace_train_values
from realframe.data import manifest
from realframe.evaluation import scored_rows, unseen_generators
from realframe.evaluation.unseen_generators import Fold
from realframe.settings import Settings, get_settings
from realframe.tables import write_table
from realframe.threads import configure_tensorflow

if TYPE_CHECKING:
    from realframe.models.weights import BackboneWeights

# Modules that need TensorFlow are imported where a fold is trained: a run without folds ends within a second.


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    folds = _make_folds(manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA), params)
    scored = list(_score_folds(folds, params, settings)) if folds else []
    write_table(pd.concat([rows for rows, _ in scored]) if scored else [], artifacts.HELD_OUT, scored_rows.HELD_OUT)
    _delete_states([folder for _, folder in scored])


def _score_folds(folds: list[Fold], params: Params, settings: Settings) -> Iterator[tuple[pd.DataFrame, Path]]:
    """Yield the rows of each fold, and the folder of its state until all folds are scored."""
    from realframe.models import backbones
    from realframe.models.weights import find_weights

    configure_tensorflow(settings.workers, params.seed)
    tuned = json.loads(artifacts.TRAINING.read_text())["tuned"]
    params = params.model_copy(update={"train": replace_train_values(params.train, tuned)})
    weights = find_weights(params.train.weights, backbones.get_backbone(params.train.backbone), settings)
    for fold in tqdm(folds, "generators held out", unit="generator"):
        yield _score_fold(fold, params, weights, settings)


def _make_folds(splits: pd.DataFrame, params: Params) -> list[Fold]:
    """Return the folds to train, and print why others are left out."""
    if not params.evaluate.leave_one_generator_out:
        print("hold_out_generators: evaluate.leave_one_generator_out is false, so unseen generators are not measured")
        return []
    generators = unseen_generators.list_generators(splits)
    if not generators:
        least = unseen_generators.MIN_ITEMS
        print(f"hold_out_generators: no generator is held out: this needs two generators of at least {least} items each")
    _print_unknown_generators(splits)
    folds = [unseen_generators.leave_out_generator(generator, splits, params.balance, params.seed) for generator in generators]
    for message in (fold.skip_reason or fold.missing_kinds_note for fold in folds):
        if message:
            print(f"hold_out_generators: {message}")
    return [fold for fold in folds if not fold.skip_reason]


def _print_unknown_generators(splits: pd.DataFrame) -> None:
    unknown = int(((splits["label"] == "fake") & (splits["generator"] == "")).sum())
    if unknown:
        print(f"hold_out_generators: {unknown} AI-generated items have no known generator; every training includes them")


def _score_fold(fold: Fold, params: Params, weights: "BackboneWeights", settings: Settings) -> tuple[pd.DataFrame, Path]:
    """Return the rows of a fold and the folder of its state. After a kill, folds that are scored are not trained again."""
    from realframe.data.batches import build_frame_table
    from realframe.training import detector_training

    frames = {split: build_frame_table(fold.splits, artifacts.CLEAN_FRAMES, split) for split in ("train", "val", "test")}
    code = code_digest("pipelines.hold_out_generators")
    facts = (fold.generator, params.balance.method, params.evaluate.aggregate, weights.sha256, code)
    name = detector_training.training_digest(params, frames, *facts)
    folder = settings.state_dir / "training" / f"held-out-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    scores_file = folder / "scores.parquet"
    with FileLock(folder.with_suffix(".lock")):
        if not scores_file.exists():
            print(f"hold_out_generators: training without {fold.generator}", flush=True)
            scores = _train_and_score(frames, params, weights, folder, settings)
            write_table(unseen_generators.build_held_out_rows(fold, scores), scores_file, scored_rows.HELD_OUT)
    return pd.read_parquet(scores_file), folder


def _train_and_score(
    frames: dict[str, pd.DataFrame], params: Params, weights: "BackboneWeights", folder: Path, settings: Settings
) -> dict[str, float]:
    """Train on the fold like the stage ``train``, and return the score of each item of val and test."""
    from realframe.evaluation.item_scores import create_scorer, iter_item_scores
    from realframe.training import detector_training

    training_frames = {split: frames[split] for split in ("train", "val")}
    model = detector_training.make_model_builder(params, weights)(params.train)
    detector_training.train_detector(model, detector_training.create_job(params, training_frames, folder, settings))
    scorer = create_scorer(model, params, frames["val"], settings.workers)
    evaluated = pd.concat([frames["val"], frames["test"]], ignore_index=True)
    return {media_id: scored.score for media_id, scored in iter_item_scores(scorer, evaluated, settings.workers)}


def _delete_states(folders: list[Path]) -> None:
    if folders:
        from realframe.training import training_phase

        for folder in folders:
            training_phase.delete_state(folder)


if __name__ == "__main__":
    main()
