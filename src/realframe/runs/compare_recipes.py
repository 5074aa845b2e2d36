"""Several recipes on the same dataset, each through the very pipeline, and their figures in one table.

The table of ``realframe compare-recipes`` as Markdown, and its place in a page.
"""

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

from realframe import artifacts, config
from realframe.errors import RunError, WeightsError
from realframe.evaluation.figures import MODEL
from realframe.files import write_text
from realframe.media.frame_sampling import evenly
from realframe.models import backbones, weights
from realframe.models.aggregate import item_table
from realframe.registry import mlflow_runs
from realframe.registry.model_registry import shown
from realframe.runs.git_dvc import environment, git
from realframe.runs.run_lifecycle import Made, run_all
from realframe.settings import Settings
from realframe.store.run_artifacts import RevisionSource

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
        baseline: the ROC-AUC of its baseline.
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
    baseline: dict[str, Any]
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
    with mlflow.start_run(experiment_id=mlflow_runs.connect(), run_name="compare-recipes") as run:
        mlflow.log_text(markdown, "compare-recipes.md")
        for row in compared:
            figures = {f"{row.recipe}/{name}": entry["value"] for name, entry in row.figures.items()}
            mlflow.log_metrics({**figures, f"{row.recipe}/training_s": row.training_s, f"{row.recipe}/clip_s": row.clip_s})
        return str(run.info.run_id)


def _weights(recipe: str, settings: Settings, overrides: Mapping[str, object], random_where_missing: bool) -> dict[str, object]:
    root = settings.root
    resolved = config.resolve(root / artifacts.PARAMS, root / artifacts.RECIPES, recipe=recipe, overrides={**VIDEOS, **overrides})
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
    revision = RevisionSource(settings.root, git(settings.root, "rev-parse", made.branch))
    metrics, training = (json.loads(_bytes(revision, path)) for path in (artifacts.METRICS, artifacts.TRAINING))
    predictions = _table(revision, artifacts.PREDICTIONS)
    test = item_table(predictions[predictions["split"] == "test"], metrics["aggregate"])
    clip_s, gap = _reloaded(made.version, revision, test, settings, clips)
    item = metrics["test"]["item"]
    return Compared(
        recipe=recipe,
        version=made.version,
        backbone=f"{training['backbone']} ({training['weights']['name']})",
        head=config.loads(_bytes(revision, artifacts.RESOLVED)).train.head.kind,
        figures={name: item[name] for name in FIGURES},
        baseline=metrics["baseline"]["test"]["item"]["roc_auc"],
        validation=metrics["val"]["item"]["roc_auc"],
        test_items=frozenset(test["media_id"]),
        run_s=seconds,
        training_s=training["seconds"],
        model_bytes=len(_bytes(revision, artifacts.MODEL)),
        clip_s=clip_s,
        reload_gap=gap,
    )


def _reloaded(version: int, revision: RevisionSource, test: pd.DataFrame, settings: Settings, clips: int) -> tuple[float, float]:
    """Score some test clips by the registered model in a fresh process; return the median seconds and the largest difference."""
    splits = _table(revision, artifacts.SPLITS).set_index("media_id")["path"]
    chosen = test.iloc[evenly(range(len(test)), clips)]
    paths = [str(settings.raw_dir / splits[media_id]) for media_id in chosen["media_id"]]
    command = [sys.executable, "-m", "realframe", "detect", "--json", "--anew", "--model", str(version), *paths]
    done = subprocess.run(command, cwd=settings.root, env=environment(settings.root), capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise RunError("realframe detect", f"could not score the test clips: {(done.stderr or done.stdout).strip()[-300:]}")
    answers = {answer["file"]: answer for answer in json.loads(done.stdout)}
    gaps = [abs(answers[path]["score"] - score) for path, score in zip(paths, chosen[MODEL], strict=True)]
    return statistics.median(sum(answer["seconds"].values()) for answer in answers.values()), max(gaps)


def _bytes(revision: RevisionSource, path: Path) -> bytes:
    return _there(revision.read(path), path)


def _table(revision: RevisionSource, path: Path) -> pd.DataFrame:
    return _there(revision.table(path), path)


def _there(found: Found | None, path: Path) -> Found:
    if found is None:
        raise RunError(path, "the run did not leave it")
    return found


_BEGIN, _END = "<!-- compare-recipes: begin -->", "<!-- compare-recipes: end -->"
_CHANCE = 0.5


def markdown(compared: Sequence[Compared]) -> str:
    """Return the table, what it was measured on, and the recipes that are no better than chance."""
    heads = [
        "recipe",
        "backbone (weights)",
        "head",
        "validation, roc_auc",
        *FIGURES,
        "baseline, roc_auc",
        "run, s",
        "training, s",
        "model, MB",
        "s per clip",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads), *map(_line, compared), "", *_remarks(compared)]
    return "\n".join(lines)


def put_into(page: Path, text: str) -> None:
    """Put the table into a Markdown page, in the place of the last one; at its end where there was none."""
    section = f"{_BEGIN}\n## The recipes on the videos\n\n{text}\n{_END}\n"
    before = page.read_text() if page.exists() else ""
    head, _, rest = before.partition(_BEGIN)
    old, end, after = rest.partition(_END)
    tail = (after if end else old).lstrip("\n")  # without the end mark nobody knows where the old table ends: all of it stays
    write_text(page, (head.rstrip("\n") + "\n\n" if head.strip() else "") + section + (f"\n{tail}" if tail.strip() else ""))


def section_of(page: Path) -> str:
    """Return the section of a page that holds the table, with its marks; empty where there is none."""
    _, begin, rest = (page.read_text() if page.exists() else "").partition(_BEGIN)
    return begin + rest.partition(_END)[0] + _END + "\n" if _END in rest else ""


def _line(row: Compared) -> str:
    figures = [shown(row.figures[name]) for name in FIGURES]
    costs = [f"{row.run_s:.0f}", f"{row.training_s:.0f}", f"{row.model_bytes / 1e6:.1f}", f"{row.clip_s:.2f}"]
    return "| " + " | ".join([row.recipe, row.backbone, row.head, shown(row.validation), *figures, shown(row.baseline), *costs]) + " |"


def _remarks(compared: Sequence[Compared]) -> list[str]:
    same = len({row.test_items for row in compared}) == 1
    counts = sorted({len(row.test_items) for row in compared})
    split = f"All were tested on the same {counts[0]} clips" if same else f"The test splits differ: {counts} clips"
    remarks = [
        "Choose by `validation`: a test split that is chosen by says less each time.",
        f"{split}; figures are per clip, with 95 % intervals by bootstrap over clusters of clips.",
        "`run` is the whole run, features included where no earlier run had computed them; `s per clip` is the median of decoding and",
        "scoring a test clip by the model loaded from the registry in a fresh process. Its scores differ from the evaluation's by at most",
        f"{max(row.reload_gap for row in compared):.1e}.",
    ]
    lows = {row.recipe: row.figures["roc_auc"].get("low") for row in compared}
    chance = [recipe for recipe, low in lows.items() if low is not None and low <= _CHANCE]
    if chance:
        remarks += ["", f"No better than chance (the interval of ROC-AUC reaches down to 0.5): {', '.join(chance)}."]
    unsure = [recipe for recipe, low in lows.items() if low is None]
    if unsure:
        remarks += ["", f"Too few test clips for an interval, so nothing is said of chance: {', '.join(unsure)}."]
    random = [row.recipe for row in compared if "(random)" in row.backbone]
    if random:
        remarks += ["", f"Random weights, which say nothing of what the recipe reaches with ImageNet's: {', '.join(random)}."]
    return remarks
