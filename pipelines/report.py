"""Draw what people read of an evaluation: the pictures, the report, the model card and the card of the data."""

import json
import logging
from typing import Any

import mlflow
import pandas as pd

from realframe import artifacts, config
from realframe import settings as settings_module
from realframe.config import Params
from realframe.data import manifest
from realframe.evaluation import caveats
from realframe.evaluation.clip_scores import ClipScorer
from realframe.evaluation.frame_scores import load_model
from realframe.files import write_text
from realframe.models.aggregate import item_table
from realframe.registry import mlflow_runs
from realframe.reports import croissant, evaluation_report, explanations, model_card, plots
from realframe.reports.report_data import ReportData
from realframe.settings import get_settings

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, params = get_settings(), config.load(artifacts.RESOLVED)
    settings_module.configure_tensorflow(settings.workers, params.seed)
    training = json.loads(artifacts.TRAINING.read_text())
    evidence = _evidence(params, training)

    figures = plots.draw_all(artifacts.FIGURES, evidence, pd.read_csv(artifacts.HISTORY))
    figures |= _explanations(evidence, params)
    write_text(artifacts.REPORT, evaluation_report.render(evidence, figures, artifacts.CLEAN))
    write_text(artifacts.CARD, model_card.render(evidence))
    write_text(artifacts.CROISSANT, json.dumps(croissant.describe(evidence.splits, artifacts.SPLITS, training["dataset"]), indent=2) + "\n")

    caveats.announce(evidence.cautions)
    _log_to_mlflow(training["run_id"])
    _say(evidence)


def _evidence(params: Params, training: dict[str, Any]) -> ReportData:
    metrics, shortcuts = (json.loads(path.read_text()) for path in (artifacts.METRICS, artifacts.SHORTCUTS))
    splits, predictions = manifest.read(artifacts.SPLITS, manifest.SPLITS), pd.read_parquet(artifacts.PREDICTIONS)
    test = predictions[predictions["split"] == "test"]
    return ReportData(
        metrics=metrics,
        splits=splits,
        items=item_table(test, metrics["aggregate"]),
        frames=test,
        shortcuts=shortcuts,
        params=params.model_dump(mode="json", exclude_none=True),
        lineage=_lineage(metrics, training),
        cautions=caveats.caveats_of(metrics, splits, shortcuts),
    )


def _lineage(metrics: dict[str, Any], training: dict[str, Any]) -> dict[str, str]:
    weights, best = training["weights"], training["best"]
    return {
        "recipe": metrics["recipe"],
        "backbone": metrics["backbone"],
        "weights": " ".join(part for part in (weights["name"], weights["sha256"][:16]) if part),
        "dataset version": training["dataset"],
        "test split": metrics["test_split"],
        "git commit": mlflow_runs.git_commit(),
        "MLflow run": training["run_id"],
        "kept epoch": f"phase {best['phase']}, epoch {best['epoch']}, validation loss {best['val_loss']:.4f}",
        "training time": f"{training['seconds']:.0f} s",
    }


def _explanations(evidence: ReportData, params: Params) -> dict[str, Any]:
    model, head, batch_size = load_model(artifacts.MODEL), params.train.head, params.train.batch_size
    scorer = ClipScorer(model, head.length, batch_size) if head.sequential else None
    at, show_media = evidence.metrics["threshold"], params.evaluate.show_media
    figure = explanations.draw(model, evidence.items, at, artifacts.CLEAN, batch_size, scorer, show_media=show_media)
    return {"explanations": plots.save(figure, artifacts.FIGURES / "explanations.png")}


def _log_to_mlflow(run_id: str) -> None:
    """Add the pictures and the pages to the run of the training, where this tracking server knows it."""
    if not mlflow_runs.exists(run_id):
        _log.warning("MLflow does not know the run %s: the model came from the DVC cache, its report stays in %s", run_id, artifacts.REPORT)
        return
    with mlflow_runs.resume_run(run_id):
        mlflow.log_artifacts(str(artifacts.FIGURES), "figures")
        for path in (artifacts.REPORT, artifacts.CARD, artifacts.CROISSANT):
            mlflow.log_artifact(str(path))


def _say(evidence: ReportData) -> None:
    _log.info("%s; %s", evaluation_report.headline(evidence.metrics), artifacts.REPORT)


if __name__ == "__main__":
    main()
