"""Train the recipe once without each generator, and score the items of that generator: the performance on unseen generators."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from pipelines import fold_training
from pipelines.fold_training import FoldTraining
from realframe import artifacts, config
from realframe.caching.code_digest import code_digest
from realframe.config import Params
from realframe.data import manifest
from realframe.evaluation import scored_rows, unseen_generators
from realframe.evaluation.unseen_generators import Fold
from realframe.settings import Settings, get_settings
from realframe.threads import configure_tensorflow


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    folds = _make_folds(manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA), params)
    scored = list(_score_folds(folds, params, settings)) if folds else []
    fold_training.write_folds(scored, artifacts.HELD_OUT, scored_rows.HELD_OUT)


def _score_folds(folds: list[Fold], params: Params, settings: Settings) -> Iterator[tuple[pd.DataFrame, Path]]:
    """Yield the rows of each fold, and the folder of its state until all folds are scored."""
    configure_tensorflow(settings.workers, params.seed)
    code = code_digest("pipelines.hold_out_generators")
    training = FoldTraining.prepare(params, settings, code, scored_rows.HELD_OUT, scored_splits=("val", "test"))
    for fold in tqdm(folds, "generators held out", unit="generator"):
        yield training.score(fold.splits, fold.generator, partial(unseen_generators.build_held_out_rows, fold))


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


if __name__ == "__main__":
    main()
