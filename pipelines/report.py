"""Draw what people read of an evaluation: the pictures, the report, the model card and the card of the data."""

import json
import logging
from typing import Any

import mlflow
import pandas as pd

from bonafide import artefacts, params
from bonafide.dataset import manifest
from bonafide.evaluation.clips import ClipScorer
from bonafide.evaluation.predict import load_model
from bonafide.evidence import cautions
from bonafide.files import write_text
from bonafide.models.aggregate import item_table
from bonafide.params import Params
from bonafide.reporting import card, croissant, explain, page, plots
from bonafide.reporting.evidence import Evidence
from bonafide.settings import get_settings
from bonafide.tracking import experiment
from bonafide.training import runtime

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, run = get_settings(), params.load(artefacts.RESOLVED)
    runtime.prepare(settings.workers, run.seed)
    training = json.loads(artefacts.TRAINING.read_text())
    evidence = _evidence(run, training)

    figures = plots.draw_all(artefacts.FIGURES, evidence, pd.read_csv(artefacts.HISTORY))
    figures |= _explanations(evidence, run)
    write_text(artefacts.REPORT, page.render(evidence, figures, artefacts.CLEAN))
    write_text(artefacts.CARD, card.render(evidence))
    write_text(artefacts.CROISSANT, json.dumps(croissant.describe(evidence.splits, artefacts.SPLITS, training["dataset"]), indent=2) + "\n")

    cautions.announce(evidence.cautions)
    _log_to_mlflow(training["run_id"])
    _say(evidence)


def _evidence(run: Params, training: dict[str, Any]) -> Evidence:
    metrics, shortcuts = (json.loads(path.read_text()) for path in (artefacts.METRICS, artefacts.SHORTCUTS))
    splits, predictions = manifest.read(artefacts.SPLITS, manifest.SPLITS), pd.read_parquet(artefacts.PREDICTIONS)
    test = predictions[predictions["split"] == "test"]
    return Evidence(
        metrics=metrics,
        splits=splits,
        items=item_table(test, metrics["aggregate"]),
        frames=test,
        shortcuts=shortcuts,
        params=run.model_dump(mode="json", exclude_none=True),
        lineage=_lineage(metrics, training),
        cautions=cautions.cautions_of(metrics, splits, shortcuts),
    )


def _lineage(metrics: dict[str, Any], training: dict[str, Any]) -> dict[str, str]:
    weights, best = training["weights"], training["best"]
    return {
        "recipe": metrics["recipe"],
        "backbone": metrics["backbone"],
        "weights": " ".join(part for part in (weights["name"], weights["sha256"][:16]) if part),
        "dataset version": training["dataset"],
        "test split": metrics["test_split"],
        "git commit": experiment.git_commit(),
        "MLflow run": training["run_id"],
        "kept epoch": f"phase {best['phase']}, epoch {best['epoch']}, validation loss {best['val_loss']:.4f}",
        "training time": f"{training['seconds']:.0f} s",
    }


def _explanations(evidence: Evidence, run: Params) -> dict[str, Any]:
    model, head, batch_size = load_model(artefacts.MODEL), run.train.head, run.train.batch_size
    scorer = ClipScorer(model, head.length, batch_size) if head.sequential else None
    at, show_media = evidence.metrics["threshold"], run.evaluate.show_media
    figure = explain.draw(model, evidence.items, at, artefacts.CLEAN, batch_size, scorer, show_media=show_media)
    return {"explanations": plots.save(figure, artefacts.FIGURES / "explanations.png")}


def _log_to_mlflow(run_id: str) -> None:
    """Add the pictures and the pages to the run of the training, where this tracking server knows it."""
    if not experiment.exists(run_id):
        _log.warning("MLflow does not know the run %s: the model came from the DVC cache, its report stays in %s", run_id, artefacts.REPORT)
        return
    with experiment.resume_run(run_id):
        mlflow.log_artifacts(str(artefacts.FIGURES), "figures")
        for path in (artefacts.REPORT, artefacts.CARD, artefacts.CROISSANT):
            mlflow.log_artifact(str(path))


def _say(evidence: Evidence) -> None:
    _log.info("%s; %s", page.headline(evidence.metrics), artefacts.REPORT)


if __name__ == "__main__":
    main()
