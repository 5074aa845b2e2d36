"""Describe the registered model and each version in Markdown, for MLflow's pages: what it is, its data, its headline figure, the report."""

from collections.abc import Mapping
from typing import Any

from realframe.markdown import escape_markdown, format_code_span
from realframe.registry.model_version import ALLOWED, ModelVersion, format_metric_with_interval
from realframe.registry.unseen_sources import describe_unseen_sources

MODEL_DESCRIPTION = (
    "Detector of AI-generated images and videos. A version maps RGB frames to the probability that they are AI-generated. The alias "
    "`champion` points to the version that serves, `challenger` to the one that waits for a reviewer's decision. Decisions are made in "
    "realframe's pages, by `realframe registry`, or in Airflow, and recorded in its ledger: an alias that is moved here by hand is "
    "reported, and counts as no approval."
)
_MAX_GENERATORS = 8


def describe_version(version: ModelVersion, metrics: Mapping[str, Any], experiment: str, page_url: str) -> str:
    """Return the description of a version.

    Args:
        version: the version.
        metrics: the content of its ``reports/metrics.json``.
        experiment: id of the experiment of its run.
        page_url: address of the web page.
    """
    folder = f"#/experiments/{experiment}/runs/{version.mlflow_run_id}/artifacts/evidence"
    trainer = f", trained by {escape_markdown(version.trainer)}" if version.trainer else ""
    what = f"Recipe {format_code_span(version.recipe)}, initial weights {format_code_span(version.weights)}{trainer}."
    data = f"Data: dataset {format_code_span(version.dataset)}, {_count_items(metrics)}{_name_generators(metrics)}."
    links = (
        f"[Evaluation report]({folder}/report.html), [model card]({folder}/card.md), [review page]({page_url}/versions/{version.version})."
    )
    return "\n\n".join([what, _describe_headline(version, metrics), data, *_list_warnings(version, metrics), links])


def _describe_headline(version: ModelVersion, metrics: Mapping[str, Any]) -> str:
    """Return the figures on unseen sources, then on unseen generators, and last those on the test split."""
    sources = " ".join(escape_markdown(sentence) for sentence in describe_unseen_sources(metrics))
    item = version.figures["item"]
    seen = (
        f"On other items of the sources of the training (the locked test split): ROC-AUC {format_metric_with_interval(item['roc_auc'])}, "
        f"accuracy {format_metric_with_interval(item['accuracy'])}; "
        f"baseline ROC-AUC {format_metric_with_interval(version.baseline['item']['roc_auc'])}."
    )
    return f"**{sources}** {_describe_unseen_generators(metrics.get('held_out'))} {seen}"


def _describe_unseen_generators(held_out: Mapping[str, Any] | None) -> str:
    if not held_out:
        return "ROC-AUC on unseen generators: not measured."
    rows = [row for row in held_out["generators"] if row["roc_auc"]["value"] is not None]
    worst = min(rows, key=lambda row: row["roc_auc"]["value"], default=None)
    named = f" (worst: {escape_markdown(worst['name'])}, {format_metric_with_interval(worst['roc_auc'])})" if worst else ""
    return f"ROC-AUC on unseen generators: {format_metric_with_interval(held_out['macro'])}{named}."


def _count_items(metrics: Mapping[str, Any]) -> str:
    names = {"train": "training", "val": "validation", "test": "test"}
    counts = {name: sum(metrics["counts"][split]["item"].values()) for split, name in names.items() if split in metrics.get("counts", {})}
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) + " items"


def _name_generators(metrics: Mapping[str, Any]) -> str:
    names = [str(row["name"]) for row in (metrics.get("slices") or {}).get("generator", [])]
    if not names:
        return ""
    more = f" and {len(names) - _MAX_GENERATORS} more" if len(names) > _MAX_GENERATORS else ""
    return f"; generators in the test split: {', '.join(map(escape_markdown, names[:_MAX_GENERATORS]))}{more}"


def _list_abstentions(metrics: Mapping[str, Any]) -> list[str]:
    return [rule["competence"]["reason"] for rule in metrics["verdict"].values() if not rule["competence"]["is_competent"]]


def _list_warnings(version: ModelVersion, metrics: Mapping[str, Any]) -> list[str]:
    warnings = []
    if version.below_baseline:
        warnings.append("Warning: it ranks the test items worse than its baseline, a logistic regression on frozen features.")
    if version.rendered_kinds:
        warnings.append("Warning: media that it was trained on were rendered for a demonstration. It is not for real use.")
    warnings += [f"Warning: {escape_markdown(reason)}" for reason in _list_abstentions(metrics)]
    if version.shortcuts == ALLOWED:
        warnings.append("Warning: file facts alone separate the classes of its dataset; the detector may have learned them.")
    return warnings
