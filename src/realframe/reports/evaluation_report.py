"""``reports/report.html``: one file that a person without the field's words can read, with all its pictures inside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from realframe.config import leaves
from realframe.presentation.formatting import DIMENSION_WORDS, METRIC_WORDS, PERTURBATION_WORDS, between, figure
from realframe.reports import mistakes
from realframe.reports.report_data import ReportData, count_table, environment, generator_table

_WORST = 8


def render(evidence: ReportData, figures: Mapping[str, Path], clean: Path) -> str:
    """Return the report as HTML that loads nothing from anywhere.

    Args:
        evidence: the facts.
        figures: the pictures by name.
        clean: the folder of clean shards, for the pictures of mistakes.
    """
    metrics = evidence.metrics
    paths = evidence.splits.set_index("media_id")["path"]
    items = evidence.items.assign(path=evidence.items["media_id"].map(paths))
    shown = clean if evidence.params["evaluate"]["show_media"] else None
    return (
        environment(html=True)
        .get_template("report.html")
        .render(
            evidence=evidence,
            metrics=metrics,
            test=metrics["test"]["item"],
            baseline=metrics["baseline"]["test"]["item"],
            words=METRIC_WORDS,
            perturbations=PERTURBATION_WORDS,
            dimensions=DIMENSION_WORDS,
            pictures={name: mistakes.data_uri(path.read_bytes(), "image/png") for name, path in figures.items()},
            mistakes=mistakes.worst(items, evidence.frames, metrics["threshold"], shown, _WORST),
            wrong=_wrong(metrics["test"]["item"]["confusion"]),
            counts=count_table(evidence.splits),
            generators=generator_table(evidence.splits),
            settings=list(leaves(evidence.params)),
        )
    )


def headline(metrics: dict[str, Any]) -> str:
    """Return the figures that matter most as one line: on unseen generators, on those of the training, and the baseline."""
    unseen = _said(metrics["held_out"]["macro"]) if metrics["held_out"] else "not measured"
    own, baseline = (_said(part["test"]["item"]["roc_auc"]) for part in (metrics, metrics["baseline"]))
    return f"ROC-AUC of items: on unseen generators {unseen}; on the generators of the training {own}; baseline {baseline}"


def _said(entry: Mapping[str, Any]) -> str:
    return f"{figure(entry['value'])} ({between(entry) or 'no interval'})"


def _wrong(confusion: Mapping[str, int]) -> dict[str, int]:
    """The two kinds of mistakes, and of how many items."""
    return {
        "alarms": confusion["real_called_fake"],
        "reals": confusion["real_called_real"] + confusion["real_called_fake"],
        "missed": confusion["fake_called_real"],
        "fakes": confusion["fake_called_fake"] + confusion["fake_called_real"],
    }
