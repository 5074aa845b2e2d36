"""Train the recipe once per fold of sources, and score the items of the sources that the fold leaves out: what unseen sources give."""

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
from realframe.data import manifest, source_groups
from realframe.evaluation import scored_rows, source_folds
from realframe.evaluation.source_folds import SourceFold
from realframe.settings import Settings, get_settings
from realframe.threads import configure_tensorflow


def main() -> None:
    """Run the stage."""
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    folds = _make_folds(manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA), params)
    scored = list(_score_folds(folds, params, settings)) if folds else []
    fold_training.write_folds(scored, artifacts.CROSS_SOURCE, scored_rows.CROSS_SOURCE)


def _score_folds(folds: list[SourceFold], params: Params, settings: Settings) -> Iterator[tuple[pd.DataFrame, Path]]:
    """Yield the rows of each fold, and the folder of its state until all folds are scored."""
    configure_tensorflow(settings.workers, params.seed)
    code = code_digest("pipelines.hold_out_sources")
    training = FoldTraining.prepare(params, settings, code, scored_rows.CROSS_SOURCE, scored_splits=("test",))
    for fold in tqdm(folds, "sources left out", unit="fold"):
        yield training.score(fold.splits, fold.title, partial(source_folds.build_cross_source_rows, fold))


def _make_folds(splits: pd.DataFrame, params: Params) -> list[SourceFold]:
    """Return the folds to train, and print which kinds get no statement and which folds are left out."""
    if not params.evaluate.source_folds:
        print("hold_out_sources: evaluate.source_folds is 0, so unseen sources are not measured")
        return []
    folds = source_folds.plan_source_folds(splits, params.evaluate.source_folds, params.balance, params.seed)
    shortages = [source_groups.describe_shortage(splits, str(kind)) for kind in sorted(splits["kind"].unique())]
    for message in (*shortages, *(fold.skip_reason or fold.missing_kinds_note for fold in folds)):
        if message:
            print(f"hold_out_sources: {message}")
    return [fold for fold in folds if not fold.skip_reason]


if __name__ == "__main__":
    main()
