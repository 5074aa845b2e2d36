"""Compare recipes: run the pipeline with each on the same dataset, and write their metrics as a Markdown table, also into a page."""

import json
import logging
import shlex
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import mlflow
import pandas as pd

from realframe import artifacts, config
from realframe.child_processes import run_supervised
from realframe.errors import RunError, WeightsError
from realframe.evaluation.figures import MODEL_SCORE
from realframe.files import write_text
from realframe.markdown import escape_markdown, format_table
from realframe.media.frame_sampling import sample_evenly
from realframe.models import backbones, weights
from realframe.models.aggregate import aggregate_by_item
from realframe.registry import mlflow_runs
from realframe.registry.model_registry import format_metric_with_interval
from realframe.registry.unseen_sources import format_roc_auc, list_kinds
from realframe.runs.git_dvc import checkout_environment, git
from realframe.runs.run_lifecycle import RunResult, run_all
from realframe.settings import Settings
from realframe.store.run_artifacts import RevisionSource

log = logging.getLogger(__name__)
Content = TypeVar("Content")
FIGURES = ("accuracy", "precision", "recall", "f1", "roc_auc")
VIDEO_OVERRIDES: Mapping[str, object] = {"balance.kinds": ["video"]}
_BEGIN, _END = "<!-- compare-recipes: begin -->", "<!-- compare-recipes: end -->"
_CHANCE = 0.5


@dataclass(frozen=True)
class RecipeResult:
    """The metrics of one recipe.

    Attributes:
        recipe: name.
        version: number of the registered model.
        backbone: name of the backbone and of its initial weights.
        head: kind of the head.
        unseen_sources: ROC-AUC on the clips of unseen sources, or that there is no statement.
        unseen_generators: mean ROC-AUC on unseen generators, or that it was not measured.
        figures: the metrics ``FIGURES`` on the test clips, with intervals.
        baseline: ROC-AUC of the baseline on the test clips.
        validation: ROC-AUC on the validation clips.
        test_items: media ids of the test split.
        run_s: duration of the whole run in seconds, including features that were not cached.
        training_s: duration of the training in seconds.
        model_bytes: size of the Keras file.
        clip_s: median seconds to decode and score a clip with the model loaded from the registry in a new process.
        reload_difference: largest difference between the scores of that process and those of the evaluation.
    """

    recipe: str
    version: int
    backbone: str
    head: str
    unseen_sources: str
    unseen_generators: str
    figures: dict[str, dict[str, Any]]
    baseline: dict[str, Any]
    validation: dict[str, Any]
    test_items: frozenset[str]
    run_s: float
    training_s: float
    model_bytes: int
    clip_s: float
    reload_difference: float


def compare_recipes(
    recipes: Sequence[str], settings: Settings, overrides: Mapping[str, object], *, allow_random_weights: bool, clips: int
) -> list[RecipeResult]:
    """Train, evaluate and register each recipe on the videos of the newest dataset version, and score some test clips with each.

    Args:
        recipes: their names.
        settings: of this checkout.
        overrides: of the parameters, for all recipes.
        allow_random_weights: start from random weights where the ImageNet weights are missing, instead of raising an error.
        clips: number of test clips that each model scores in a new process.

    Raises:
        WeightsError: weights are missing.
        RunError: a run failed.
    """
    results = []
    for recipe in recipes:
        chosen = {**VIDEO_OVERRIDES, **overrides, **_weights_override(recipe, settings, overrides, allow_random_weights)}
        log.info("%s: %s", recipe, ", ".join(f"{key}={value}" for key, value in chosen.items()))
        start = time.monotonic()
        run_result = run_all("train_model", settings, recipe=recipe, overrides=chosen)
        results.append(_measure_recipe(recipe, run_result, time.monotonic() - start, settings, clips))
    return results


def log_comparison(results: Sequence[RecipeResult], markdown: str) -> str:
    """Log the table and the metrics of each recipe as one MLflow run; return its id."""
    with mlflow.start_run(experiment_id=mlflow_runs.connect(), run_name="compare-recipes") as run:
        mlflow.log_text(markdown, "compare-recipes.md")
        for row in results:
            figures = {f"{row.recipe}/{name}": entry["value"] for name, entry in row.figures.items()}
            mlflow.log_metrics({**figures, f"{row.recipe}/training_s": row.training_s, f"{row.recipe}/clip_s": row.clip_s})
        return str(run.info.run_id)


def _weights_override(recipe: str, settings: Settings, overrides: Mapping[str, object], allow_random_weights: bool) -> dict[str, object]:
    root = settings.root
    resolved = config.resolve_params(
        root / artifacts.PARAMS, root / artifacts.RECIPES, recipe=recipe, overrides={**VIDEO_OVERRIDES, **overrides}
    )
    train = resolved.params.train
    try:
        weights.find_weights(train.weights, backbones.get_backbone(train.backbone), settings)
    except WeightsError:
        if not allow_random_weights:
            raise
        log.warning("%s: the %s weights of %s are missing; training starts from random weights", recipe, train.weights, train.backbone)
        return {"train.weights": "random"}
    return {}


def _measure_recipe(recipe: str, run_result: RunResult, seconds: float, settings: Settings, clips: int) -> RecipeResult:
    assert run_result.version is not None
    revision = RevisionSource(settings.root, git(settings.root, "rev-parse", run_result.branch))
    metrics, training = (json.loads(_read_bytes(revision, path)) for path in (artifacts.METRICS, artifacts.TRAINING))
    predictions = _read_table(revision, artifacts.PREDICTIONS)
    test = aggregate_by_item(predictions[predictions["split"] == "test"], metrics["aggregate"])
    clip_s, gap = _score_reloaded(run_result.version, revision, test, settings, clips)
    item, held_out = metrics["test"]["item"], metrics["held_out"]
    return RecipeResult(
        recipe=recipe,
        version=run_result.version,
        backbone=f"{training['backbone']} ({training['weights']['name']})",
        head=config.parse_params(_read_bytes(revision, artifacts.RESOLVED_PARAMS)).train.head.kind,
        unseen_sources=format_roc_auc(list_kinds(metrics).get("video")),
        unseen_generators=format_metric_with_interval(held_out["macro"]) if held_out else "not measured",
        figures={name: item[name] for name in FIGURES},
        baseline=metrics["baseline"]["test"]["item"]["roc_auc"],
        validation=metrics["val"]["item"]["roc_auc"],
        test_items=frozenset(test["media_id"]),
        run_s=seconds,
        training_s=training["seconds"],
        model_bytes=len(_read_bytes(revision, artifacts.MODEL)),
        clip_s=clip_s,
        reload_difference=gap,
    )


def _score_reloaded(version: int, revision: RevisionSource, test: pd.DataFrame, settings: Settings, clips: int) -> tuple[float, float]:
    """Score some test clips with the registered model in a new process; return the median seconds and the largest difference."""
    splits = _read_table(revision, artifacts.SPLITS).set_index("media_id")["path"]
    chosen = test.iloc[sample_evenly(range(len(test)), clips)]
    paths = [str(settings.raw_dir / splits[media_id]) for media_id in chosen["media_id"]]
    command = [sys.executable, "-m", "realframe", "detect", "--json", "--no-cache", "--model", str(version), *paths]
    env = checkout_environment(settings.root)
    process = run_supervised(command, settings.root, env, capture=True)
    if process.returncode:
        message = (process.stderr or process.stdout).strip().rpartition("\n")[2]
        raise RunError(
            "realframe detect", f"ended with status {process.returncode}: {message}", f"Run it by hand: `{shlex.join(command)}`."
        )
    detections = {detection["file"]: detection for detection in json.loads(process.stdout)}
    gaps = [abs(detections[path]["score"] - score) for path, score in zip(paths, chosen[MODEL_SCORE], strict=True)]
    return statistics.median(sum(detection["seconds"].values()) for detection in detections.values()), max(gaps)


def _read_bytes(revision: RevisionSource, path: Path) -> bytes:
    return _require(revision.read(path), path)


def _read_table(revision: RevisionSource, path: Path) -> pd.DataFrame:
    return _require(revision.read_table(path), path)


def _require(content: Content | None, path: Path) -> Content:
    if content is None:
        raise RunError(path, "does not exist in the commit of the run", "Run the pipeline again: `realframe run`.")
    return content


def comparison_markdown(results: Sequence[RecipeResult]) -> str:
    """Return the table and remarks: what it was measured on, and which recipes are no better than chance."""
    columns = [
        "recipe",
        "backbone (weights)",
        "head",
        "unseen sources, roc_auc",
        "unseen generators, roc_auc",
        "validation, roc_auc",
        *FIGURES,
        "baseline, roc_auc",
        "run, s",
        "training, s",
        "model, MB",
        "s per clip",
    ]
    return "\n".join([format_table(columns, map(_table_row, results)), "", *_remarks(results)])


def insert_section(page: Path, text: str) -> None:
    """Insert the table into a Markdown page, in place of an earlier table or at the end."""
    section = f"{_BEGIN}\n## The recipes on the videos\n\n{text}\n{_END}\n"
    before = page.read_text() if page.exists() else ""
    head, _, rest = before.partition(_BEGIN)
    old, end, after = rest.partition(_END)
    tail = (after if end else old).lstrip("\n")  # without the end mark the end of the old table is unknown: all text stays
    write_text(page, (head.rstrip("\n") + "\n\n" if head.strip() else "") + section + (f"\n{tail}" if tail.strip() else ""))


def extract_section(page: Path) -> str:
    """Return the section of a page that contains the table, with its marks; empty if there is none."""
    _, begin, rest = (page.read_text() if page.exists() else "").partition(_BEGIN)
    return begin + rest.partition(_END)[0] + _END + "\n" if _END in rest else ""


def _table_row(row: RecipeResult) -> list[str]:
    figures = [format_metric_with_interval(row.figures[name]) for name in FIGURES]
    costs = [f"{row.run_s:.0f}", f"{row.training_s:.0f}", f"{row.model_bytes / 1e6:.1f}", f"{row.clip_s:.2f}"]
    names = map(escape_markdown, (row.recipe, row.backbone, row.head))
    return [
        *names,
        row.unseen_sources,
        row.unseen_generators,
        format_metric_with_interval(row.validation),
        *figures,
        format_metric_with_interval(row.baseline),
        *costs,
    ]


def _remarks(results: Sequence[RecipeResult]) -> list[str]:
    same = len({row.test_items for row in results}) == 1
    counts = sorted({len(row.test_items) for row in results})
    split = f"All were tested on the same {counts[0]} clips" if same else f"The test splits differ: {counts} clips"
    remarks = [
        "Choose by `unseen sources`: what ranks well on the sources of the training may transfer worst. Without a statement, choose by",
        "`validation`: each choice by the test split makes the test metrics less independent.",
        f"{split}; figures are per clip, with 95 % intervals by bootstrap over clusters of clips.",
        "`run` is the whole run, including features that no earlier run had computed; `s per clip` is the median time to decode and score",
        "a test clip with the model loaded from the registry in a new process. Its scores differ from those of the evaluation by at most",
        f"{max(row.reload_difference for row in results):.1e}.",
    ]
    lows = {row.recipe: row.figures["roc_auc"].get("low") for row in results}
    chance = [escape_markdown(recipe) for recipe, low in lows.items() if low is not None and low <= _CHANCE]
    if chance:
        remarks += ["", f"No better than chance (the interval of the ROC-AUC includes 0.5): {', '.join(chance)}."]
    unknown = [escape_markdown(recipe) for recipe, low in lows.items() if low is None]
    if unknown:
        remarks += ["", f"Too few test clips for an interval, so a comparison with chance is not possible: {', '.join(unknown)}."]
    random = [escape_markdown(row.recipe) for row in results if "(random)" in row.backbone]
    if random:
        remarks += ["", f"Random weights; the metrics with ImageNet weights are different: {', '.join(random)}."]
    return remarks
