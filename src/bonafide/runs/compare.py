"""Several recipes on the same dataset, each through the very pipeline, and their figures in one table."""

import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mlflow
import pandas as pd

from bonafide import artefacts, params
from bonafide.errors import RunError, WeightsError
from bonafide.evidence.assemble import MODEL
from bonafide.media.sampling import evenly
from bonafide.metadata.sources import Revision
from bonafide.models import backbones, weights
from bonafide.models.aggregate import item_table
from bonafide.runs.lifecycle import Made, run_all
from bonafide.runs.process import environment, git
from bonafide.settings import Settings
from bonafide.tracking import experiment

log = logging.getLogger(__name__)
Found = TypeVar("Found")
FIGURES = ("accuracy", "precision", "recall", "f1", "roc_auc")
VIDEOS: Mapping[str, object] = {"balance.kinds": ["video"]}


@dataclass(frozen=True)
class Compared:
    """One recipe's figures.

    Attributes:
        recipe: its name.
        version: of the registered model.
        backbone: with the weights it began with.
        head: its kind.
        figures: of the test clips, with intervals: those of ``FIGURES``.
        floor: the ROC-AUC of its floor.
        validation: its ROC-AUC on the validation clips.
        test_items: the clips of the test split.
        run_s: wall clock of the whole run, features included where they were not cached, seconds.
        training_s: of the training alone.
        model_bytes: of the Keras file.
        clip_s: median wall clock of a clip, decoding included, by the model loaded from the registry in a fresh process.
        reload_gap: largest difference between that process' scores and the evaluation's.
    """

    recipe: str
    version: int
    backbone: str
    head: str
    figures: dict[str, dict[str, Any]]
    floor: dict[str, Any]
    validation: dict[str, Any]
    test_items: frozenset[str]
    run_s: float
    training_s: float
    model_bytes: int
    clip_s: float
    reload_gap: float


def compare(
    recipes: Sequence[str], settings: Settings, overrides: Mapping[str, object], *, random_where_missing: bool, clips: int
) -> list[Compared]:
    """Train, evaluate and register each recipe on the videos of the newest dataset version, and score some test clips by each.

    Args:
        recipes: their names.
        settings: of this checkout.
        overrides: of the parameters, for all recipes.
        random_where_missing: a recipe whose ImageNet weights can't be had begins with random ones; else that is an error.
        clips: test clips that each model scores in a fresh process.

    Raises:
        WeightsError: weights can't be had.
        RunError: a run failed.
    """
    compared = []
    for recipe in recipes:
        chosen = {**VIDEOS, **overrides, **_weights(recipe, settings, overrides, random_where_missing)}
        log.info("%s: %s", recipe, ", ".join(f"{key}={value}" for key, value in chosen.items()))
        began = time.monotonic()
        made = run_all("train_model", settings, recipe=recipe, overrides=chosen)
        compared.append(_measured(recipe, made, time.monotonic() - began, settings, clips))
    return compared


def log_table(compared: Sequence[Compared], markdown: str) -> str:
    """Log the table and each recipe's figures as one MLflow run; return its id."""
    with mlflow.start_run(experiment_id=experiment.connect(), run_name="compare-recipes") as run:
        mlflow.log_text(markdown, "compare-recipes.md")
        for row in compared:
            figures = {f"{row.recipe}/{name}": entry["value"] for name, entry in row.figures.items()}
            mlflow.log_metrics({**figures, f"{row.recipe}/training_s": row.training_s, f"{row.recipe}/clip_s": row.clip_s})
        return str(run.info.run_id)


def _weights(recipe: str, settings: Settings, overrides: Mapping[str, object], random_where_missing: bool) -> dict[str, object]:
    root = settings.root
    resolved = params.resolve(root / artefacts.PARAMS, root / artefacts.RECIPES, recipe=recipe, overrides={**VIDEOS, **overrides})
    train = resolved.params.train
    try:
        weights.find(train.weights, backbones.get(train.backbone), settings)
    except WeightsError:
        if not random_where_missing:
            raise
        log.warning("%s: the %s weights of %s can't be had; it begins with random ones", recipe, train.weights, train.backbone)
        return {"train.weights": "random"}
    return {}


def _measured(recipe: str, made: Made, seconds: float, settings: Settings, clips: int) -> Compared:
    assert made.version is not None
    revision = Revision(settings.root, git(settings.root, "rev-parse", made.branch))
    metrics, training = (json.loads(_bytes(revision, path)) for path in (artefacts.METRICS, artefacts.TRAINING))
    predictions = _table(revision, artefacts.PREDICTIONS)
    test = item_table(predictions[predictions["split"] == "test"], metrics["aggregate"])
    clip_s, gap = _reloaded(made.version, revision, test, settings, clips)
    item = metrics["test"]["item"]
    return Compared(
        recipe=recipe,
        version=made.version,
        backbone=f"{training['backbone']} ({training['weights']['name']})",
        head=params.loads(_bytes(revision, artefacts.RESOLVED)).train.head.kind,
        figures={name: item[name] for name in FIGURES},
        floor=metrics["floor"]["test"]["item"]["roc_auc"],
        validation=metrics["val"]["item"]["roc_auc"],
        test_items=frozenset(test["media_id"]),
        run_s=seconds,
        training_s=training["seconds"],
        model_bytes=len(_bytes(revision, artefacts.MODEL)),
        clip_s=clip_s,
        reload_gap=gap,
    )


def _reloaded(version: int, revision: Revision, test: pd.DataFrame, settings: Settings, clips: int) -> tuple[float, float]:
    """Score some test clips by the registered model in a fresh process; return the median seconds and the largest difference."""
    splits = _table(revision, artefacts.SPLITS).set_index("media_id")["path"]
    chosen = test.iloc[evenly(range(len(test)), clips)]
    paths = [str(settings.raw_dir / splits[media_id]) for media_id in chosen["media_id"]]
    command = [sys.executable, "-m", "bonafide", "detect", "--json", "--anew", "--model", str(version), *paths]
    done = subprocess.run(command, cwd=settings.root, env=environment(settings.root), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RunError("bonafide detect", f"could not score the test clips: {(done.stderr or done.stdout).strip()[-300:]}")
    answers = {answer["file"]: answer for answer in json.loads(done.stdout)}
    gaps = [abs(answers[path]["score"] - score) for path, score in zip(paths, chosen[MODEL], strict=True)]
    return statistics.median(sum(answer["seconds"].values()) for answer in answers.values()), max(gaps)


def _bytes(revision: Revision, path: Path) -> bytes:
    return _there(revision.read(path), path)


def _table(revision: Revision, path: Path) -> pd.DataFrame:
    return _there(revision.table(path), path)


def _there(found: Found | None, path: Path) -> Found:
    if found is None:
        raise RunError(path, "the run did not leave it")
    return found
