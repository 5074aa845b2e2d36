"""Write the plots, the evaluation report, the model card and the dataset description of a run."""

import json
import logging
from typing import Any

import mlflow
import pandas as pd

from realframe import artifacts, config
from realframe.config import Params
from realframe.data import manifest
from realframe.evaluation import caveats
from realframe.evaluation.network_scores import ClipScorer, load_model
from realframe.files import write_text
from realframe.models.aggregate import aggregate_by_item
from realframe.registry import mlflow_runs, run_facts
from realframe.reports import croissant, evaluation_report, explanations, model_card, plots
from realframe.reports.evaluation_report import ReportData
from realframe.settings import get_settings
from realframe.threads import configure_tensorflow

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    settings, params = get_settings(), config.load_params(artifacts.RESOLVED_PARAMS)
    configure_tensorflow(settings.workers, params.seed)
    training = json.loads(artifacts.TRAINING.read_text())
    data = _load_report_data(params, training)

    paths = plots.draw_plots(artifacts.FIGURES, data, pd.read_csv(artifacts.HISTORY))
    paths |= _draw_explanations(data, params)
    write_text(artifacts.REPORT, evaluation_report.render_evaluation_report(data, paths, artifacts.CLEAN_FRAMES))
    write_text(artifacts.MODEL_CARD, model_card.render_model_card(data))
    dataset = croissant.describe_dataset(data.splits, artifacts.SPLITS, training["dataset"])
    write_text(artifacts.CROISSANT, json.dumps(dataset, indent=2) + "\n")

    caveats.log_caveats(data.caveats)
    _log_to_mlflow(training["run_id"])
    _log.info("%s; %s", evaluation_report.format_headline(data.metrics), artifacts.REPORT)


def _load_report_data(params: Params, training: dict[str, Any]) -> ReportData:
    metrics, shortcuts = (json.loads(path.read_text()) for path in (artifacts.METRICS, artifacts.SHORTCUTS))
    splits, predictions = manifest.read(artifacts.SPLITS, manifest.SPLITS_SCHEMA), pd.read_parquet(artifacts.PREDICTIONS)
    test = predictions[predictions["split"] == "test"]
    return ReportData(
        metrics=metrics,
        splits=splits,
        items=aggregate_by_item(test, metrics["aggregate"]),
        frames=test,
        shortcuts=shortcuts,
        params=params.model_dump(mode="json", exclude_none=True),
        lineage=_lineage(metrics, training),
        caveats=caveats.find_caveats(metrics, splits, shortcuts),
    )


def _lineage(metrics: dict[str, Any], training: dict[str, Any]) -> dict[str, str]:
    weights, best = training["weights"], training["best"]
    return {
        "recipe": metrics["recipe"],
        "backbone": metrics["backbone"],
        "weights": " ".join(part for part in (weights["name"], weights["sha256"][:16]) if part),
        "dataset version": training["dataset"],
        "test split": metrics["test_split"],
        "git commit": run_facts.git_commit(),
        "MLflow run": training["run_id"],
        "kept epoch": f"phase {best['phase']}, epoch {best['epoch']}, validation loss {best['val_loss']:.4f}",
        "training time": f"{training['seconds']:.0f} s",
    }


def _draw_explanations(data: ReportData, params: Params) -> dict[str, Any]:
    model, head, batch_size = load_model(artifacts.MODEL), params.train.head, params.train.batch_size
    scorer = ClipScorer(model, head.length, batch_size) if head.scores_clips else None
    threshold, show_media = data.metrics["threshold"], params.evaluate.show_media
    figure = explanations.draw_explanations(model, data.items, threshold, artifacts.CLEAN_FRAMES, batch_size, scorer, show_media=show_media)
    return {"explanations": plots.save_plot(figure, artifacts.FIGURES / "explanations.png")}


def _log_to_mlflow(run_id: str) -> None:
    """Log the plots, the report and the cards to the MLflow run of the training, if the tracking server has it."""
    if not mlflow_runs.run_exists(run_id):
        _log.warning("MLflow has no run %s: the model came from the DVC cache. Its report is in %s only", run_id, artifacts.REPORT)
        return
    with mlflow_runs.resume_mlflow_run(run_id):
        mlflow.log_artifacts(str(artifacts.FIGURES), "figures")
        for path in (artifacts.REPORT, artifacts.MODEL_CARD, artifacts.CROISSANT):
            mlflow.log_artifact(str(path))


if __name__ == "__main__":
    main()
