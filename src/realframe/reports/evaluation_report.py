"""Render ``reports/report.html``, one self-contained file with all plots, and hold the data that it shares with the model card.

The report is written for readers without machine-learning background.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from realframe.config import flatten
from realframe.evaluation import source_figures
from realframe.evaluation.caveats import Caveat
from realframe.presentation.formatting import format_figure, format_interval
from realframe.presentation.templating import create_template_environment
from realframe.presentation.wording import DIMENSIONS, METRICS, PERTURBATIONS
from realframe.registry.unseen_sources import describe_unseen_sources
from realframe.reports import mistakes

_SPLITS = ["train", "val", "test"]
_MISTAKES = 8


@dataclass(frozen=True)
class ReportData:
    """The data of one evaluated model.

    Attributes:
        metrics: the content of ``reports/metrics.json``.
        splits: the rows of ``splits.parquet``.
        items: the item table of the test split.
        frames: the predictions of the test split.
        shortcuts: the content of ``data/shortcuts.json``.
        params: the resolved parameters, nested.
        lineage: names and values that identify the run of the model.
        caveats: reasons to distrust the figures.
    """

    metrics: dict[str, Any]
    splits: pd.DataFrame
    items: pd.DataFrame
    frames: pd.DataFrame
    shortcuts: dict[str, Any]
    params: dict[str, Any]
    lineage: dict[str, str]
    caveats: list[Caveat]


def count_items_by_split(splits: pd.DataFrame) -> list[dict[Any, Any]]:
    """Count the items per split, kind and class; rows in the order train, val, test."""
    counts = splits.groupby(["split", "kind", "label"]).size().unstack(fill_value=0).reindex(columns=["real", "fake"], fill_value=0)
    return sorted(counts.reset_index().to_dict("records"), key=lambda row: (_SPLITS.index(row["split"]), row["kind"]))


def count_items_by_generator(splits: pd.DataFrame) -> list[dict[Any, Any]]:
    """Count the items of each generator per split, the most frequent generator first."""
    fakes = splits[splits["label"] == "fake"].assign(generator=lambda table: table["generator"].replace("", "unknown"))
    counts = fakes.groupby(["generator", "split"]).size().unstack(fill_value=0).reindex(columns=_SPLITS, fill_value=0)
    ordered = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    return ordered.reset_index().to_dict("records")


def render_evaluation_report(data: ReportData, plots: Mapping[str, Path], clean_frames_dir: Path) -> str:
    """Return the report as HTML that loads no other file.

    Args:
        data: the report data.
        plots: paths of the plots by name.
        clean_frames_dir: the folder of clean shards, for the frames of mistakes.
    """
    metrics = data.metrics
    paths = data.splits.set_index("media_id")["path"]
    items = data.items.assign(path=data.items["media_id"].map(paths))
    media_folder = clean_frames_dir if data.params["evaluate"]["show_media"] else None
    return (
        create_template_environment("realframe.reports")
        .get_template("report.html")
        .render(
            report=data,
            metrics=metrics,
            test=metrics["test"]["item"],
            baseline=metrics["baseline"]["test"]["item"],
            metric_names=METRICS,
            perturbations=PERTURBATIONS,
            dimensions=DIMENSIONS,
            plots={name: mistakes.encode_data_uri(path.read_bytes(), "image/png") for name, path in plots.items()},
            mistakes=mistakes.list_worst_mistakes(items, data.frames, metrics["threshold"], media_folder, _MISTAKES),
            errors=_count_errors(metrics["test"]["item"]["confusion"]),
            counts=count_items_by_split(data.splits),
            generators=count_items_by_generator(data.splits),
            settings=list(flatten(data.params)),
            selection=source_figures.describe_selection(metrics["selection"]) if "selection" in metrics else [],
        )
    )


def format_headline(metrics: dict[str, Any]) -> str:
    """Return one line: on unseen sources, then the ROC-AUC on unseen generators, on the generators of the training, and of the baseline."""
    sources = " ".join(describe_unseen_sources(metrics))
    unseen = _format_figure(metrics["held_out"]["macro"]) if metrics["held_out"] else "not measured"
    own, baseline = (_format_figure(part["test"]["item"]["roc_auc"]) for part in (metrics, metrics["baseline"]))
    return f"{sources} ROC-AUC of items: on unseen generators {unseen}; on the generators of the training {own}; baseline {baseline}"


def _format_figure(entry: Mapping[str, Any]) -> str:
    return f"{format_figure(entry['value'])} ({format_interval(entry) or 'no interval'})"


def _count_errors(confusion: Mapping[str, int]) -> dict[str, int]:
    """Count the errors of each class and the items of each class."""
    return {
        "false_alarms": confusion["real_called_fake"],
        "reals": confusion["real_called_real"] + confusion["real_called_fake"],
        "missed": confusion["fake_called_real"],
        "fakes": confusion["fake_called_fake"] + confusion["fake_called_real"],
    }
