"""Score every frame of val and test, lay the figures beside their floor, draw the pictures and write the report."""

import json
import logging
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from matplotlib.figure import Figure
from numpy import float64
from numpy.typing import NDArray

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.dataset.batches import frame_table
from bonafide.evaluation import cautions, clips, evidence, predict
from bonafide.evaluation.choose_aggregate import choose
from bonafide.evaluation.clips import ClipScorer
from bonafide.files import atomic_path, write_text
from bonafide.models import probe
from bonafide.models.aggregate import item_table
from bonafide.models.features import Features
from bonafide.params import Params
from bonafide.reporting import explain, page, plots
from bonafide.settings import get_settings
from bonafide.tracking import experiment
from bonafide.training import runtime

_LOGGED = ("roc_auc", "pr_auc", "accuracy", "balanced_accuracy", "precision", "recall", "f1")
_log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, run = get_settings(), params.load(artefacts.RESOLVED)
    runtime.prepare(settings.workers, run.seed)
    splits = manifest.read(artefacts.SPLITS, manifest.SPLITS)
    training = json.loads(artefacts.TRAINING.read_text())
    frames = {split: frame_table(splits, artefacts.CLEAN, split) for split in ("train", "val", "test")}
    scored = pd.concat([frames["val"], frames["test"]], ignore_index=True)

    model = predict.load_model(artefacts.MODEL)
    head, batch_size = run.train.head, run.train.batch_size
    scorer = ClipScorer(model, head.length, batch_size) if head.sequential else None
    floor_scores, strength = _floor(frames["train"], scored, run)
    if scorer:
        rows = clips.clip_rows(clips.score_clips(scorer, scored, settings.workers), scored, floor_scores)
    else:
        rows = scored.assign(score=predict.score_frames(model, scored, batch_size, settings.workers), floor_score=floor_scores)
    predictions = predict.prediction_table(rows[["media_id", "index", "score", "floor_score"]], splits)
    with atomic_path(artefacts.PREDICTIONS) as temporary:
        predictions.to_parquet(temporary, index=False)

    how = run.evaluate.aggregate
    how = choose(predictions[predictions["split"] == "val"]) if how == "auto" else how
    metrics = evidence.assemble(predictions, splits, how, run.evaluate.bootstrap, run.seed, per_frame=scorer is None)
    metrics["floor"] |= {"strength": strength, "random_features": training["weights"]["name"] == "random"}
    origin = {"recipe": run.recipe, "backbone": run.train.backbone, "weights": training["weights"]["name"], "dataset": training["dataset"]}
    metrics = {**origin, **metrics}
    write_text(artefacts.METRICS, json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    test = predictions[predictions["split"] == "test"]
    items = item_table(test, how)
    explanations = explain.draw(model, items, metrics["threshold"], artefacts.CLEAN, batch_size, scorer)
    _report(metrics, test, items, splits, training, run, explanations)
    _log_to_mlflow(training["run_id"], metrics)
    _say(metrics)


def _floor(train: pd.DataFrame, scored: pd.DataFrame, run: Params) -> tuple[NDArray[float64], float]:
    """Return the floor's scores of the frames in ``scored``, and the C that it chose."""
    features = Features.open(artefacts.FEATURES)
    floor = probe.fit(features.of_frames(train), train, run.seed)
    return probe.scores(floor, features.of_frames(scored)), probe.strength_of(floor)


def _report(
    metrics: dict[str, Any],
    test: pd.DataFrame,
    items: pd.DataFrame,
    splits: pd.DataFrame,
    training: dict[str, Any],
    run: Params,
    explanations: Figure,
) -> None:
    shortcuts = json.loads(artefacts.SHORTCUTS.read_text())
    figures = plots.draw_all(artefacts.FIGURES, items, pd.read_csv(artefacts.HISTORY), metrics)
    figures["explanations"] = plots.save(explanations, artefacts.FIGURES / "explanations.png")
    found = cautions.cautions_of(metrics, splits, shortcuts)
    cautions.announce(found)
    made_of = page.Evidence(
        metrics=metrics,
        splits=splits,
        items=items,
        frames=test,
        shortcuts=shortcuts,
        params=run.model_dump(mode="json", exclude_none=True),
        lineage=_lineage(metrics, training),
        cautions=found,
    )
    write_text(artefacts.REPORT, page.render(made_of, figures, artefacts.CLEAN))


def _lineage(metrics: dict[str, Any], training: dict[str, Any]) -> dict[str, str]:
    weights, best = training["weights"], training["best"]
    return {
        "recipe": metrics["recipe"],
        "backbone": metrics["backbone"],
        "weights": " ".join(part for part in (weights["name"], weights["sha256"][:16]) if part),
        "dataset version": training["dataset"],
        "git commit": experiment.git_commit(),
        "MLflow run": training["run_id"],
        "kept epoch": f"phase {best['phase']}, epoch {best['epoch']}, validation loss {best['val_loss']:.4f}",
        "training time": f"{training['seconds']:.0f} s",
    }


def _log_to_mlflow(run_id: str, metrics: dict[str, Any]) -> None:
    """Add the figures, the pictures and the report to the run of the training, where this tracking server knows it."""
    if not experiment.exists(run_id):
        _log.warning(
            "MLflow does not know the run %s: the model came from the DVC cache, its figures stay in %s", run_id, artefacts.METRICS
        )
        return
    with experiment.resume_run(run_id):
        mlflow.log_metrics(_flat(metrics))
        mlflow.log_artifacts(str(artefacts.FIGURES), "figures")
        for path in (artefacts.REPORT, artefacts.METRICS):
            mlflow.log_artifact(str(path))


def _flat(metrics: dict[str, Any]) -> dict[str, float]:
    levels = {f"{split}_{level}": metrics[split][level] for split in ("test", "val") for level in metrics[split]}
    levels["floor_item"] = metrics["floor"]["test"]["item"]
    flat = {f"{level}_{name}{_ending(part)}": row[name][part] for level, row in levels.items() for name in _LOGGED for part in row[name]}
    flat |= {"threshold": metrics["threshold"], "below_floor": float(metrics["below_floor"])}
    return {name: value for name, value in flat.items() if value is not None}


def _ending(part: str) -> str:
    return "" if part == "value" else f"_{part}"


def _say(metrics: dict[str, Any]) -> None:
    model, floor_item = metrics["test"]["item"]["roc_auc"], metrics["floor"]["test"]["item"]["roc_auc"]
    shown = f"test ROC-AUC of items {page.figure(model['value'])} ({page.between(model) or 'no interval'})"
    beside = f"floor {page.figure(floor_item['value'])} ({page.between(floor_item) or 'no interval'})"
    _log.info("%s, %s; %s", shown, beside, Path(artefacts.REPORT))


if __name__ == "__main__":
    main()
