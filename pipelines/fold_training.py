"""Train the recipe on a part of the dataset, and score what was left out: for the stages that hold out generators and sources.

It is no stage. After a kill, parts that are scored are not trained again.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pandas as pd
import pyarrow as pa
from filelock import FileLock

from realframe import artifacts
from realframe.config import Params, replace_train_values
from realframe.settings import Settings
from realframe.tables import write_table

if TYPE_CHECKING:
    from realframe.models.weights import BackboneWeights

# Modules that need TensorFlow are imported where a fold is trained: a stage without folds ends within a second.
Scores = dict[str, float]


@dataclass(frozen=True)
class FoldTraining:
    """How each fold is trained.

    Attributes:
        params: the parameters, with the values that a search found.
        weights: the weights of the backbone.
        settings: the folders and the number of threads.
        code: the digest of the stage's code.
        schema: the columns of the rows of a fold.
        scored_splits: the splits of a fold whose items are scored.
    """

    params: Params
    weights: "BackboneWeights"
    settings: Settings
    code: str
    schema: pa.Schema
    scored_splits: tuple[str, ...]

    @classmethod
    def prepare(cls, params: Params, settings: Settings, code: str, schema: pa.Schema, scored_splits: tuple[str, ...]) -> Self:
        """Find the weights and apply the values that the search of the stage ``train`` found."""
        from realframe.models import backbones
        from realframe.models.weights import find_weights

        tuned = json.loads(artifacts.TRAINING.read_text())["tuned"]
        params = params.model_copy(update={"train": replace_train_values(params.train, tuned)})
        weights = find_weights(params.train.weights, backbones.get_backbone(params.train.backbone), settings)
        return cls(params, weights, settings, code, schema, scored_splits)

    def score(self, splits: pd.DataFrame, name: str, build_rows: Callable[[Scores], pd.DataFrame]) -> tuple[pd.DataFrame, Path]:
        """Return the rows of a fold and the folder of its state, to be deleted once all folds are scored.

        Args:
            splits: the items of the fold, rows as in ``splits.parquet``.
            name: of what is left out.
            build_rows: turns the scores by ``media_id`` into the rows of the fold.
        """
        from realframe.data.batches import build_frame_table
        from realframe.training import detector_training

        params = self.params
        frames = {split: build_frame_table(splits, artifacts.CLEAN_FRAMES, split) for split in ("train", "val", "test")}
        facts = (name, params.balance.method, params.evaluate.aggregate, self.weights.sha256, self.code)
        digest = detector_training.training_digest(params, frames, *facts)
        folder = self.settings.state_dir / "training" / f"held-out-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        scores_file = folder / "scores.parquet"
        with FileLock(folder.with_suffix(".lock")):
            if not scores_file.exists():
                print(f"training without {name}", flush=True)
                write_table(build_rows(self._train_and_score(frames, folder)), scores_file, self.schema)
        return pd.read_parquet(scores_file), folder

    def _train_and_score(self, frames: dict[str, pd.DataFrame], folder: Path) -> Scores:
        """Train on the fold like the stage ``train``, and return the score of each item of the scored splits."""
        from realframe.evaluation.item_scores import create_scorer, iter_item_scores
        from realframe.training import detector_training

        training_frames = {split: frames[split] for split in ("train", "val")}
        model = detector_training.make_model_builder(self.params, self.weights)(self.params.train)
        detector_training.train_detector(model, detector_training.create_job(self.params, training_frames, folder, self.settings))
        scorer = create_scorer(model, self.params, frames["val"], self.settings.workers)
        evaluated = pd.concat([frames[split] for split in self.scored_splits], ignore_index=True)
        return {media_id: scored.score for media_id, scored in iter_item_scores(scorer, evaluated, self.settings.workers)}


def write_folds(scored: list[tuple[pd.DataFrame, Path]], path: Path, schema: pa.Schema) -> None:
    """Write the rows of all folds as one table, and delete their states."""
    write_table(pd.concat([rows for rows, _ in scored]) if scored else [], path, schema)
    if scored:
        from realframe.training import training_phase

        for _, folder in scored:
            training_phase.delete_state(folder)
