"""``reports/report.html``: one file that a person without the field's words can read, with all its pictures inside."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from bonafide.evaluation.cautions import LEAK, Caution
from bonafide.params import leaves
from bonafide.reporting import mistakes

_WORST = 8
_NONE = "\N{EN DASH}"
METRIC_WORDS = {
    "roc_auc": ("ROC-AUC", "Shown one AI-generated and one real item, how often the AI-generated one scores higher. 0.5 is guessing."),
    "pr_auc": ("PR-AUC", "How often an alarm is right, averaged over all thresholds."),
    "accuracy": ("Accuracy", "The share of items that is called right."),
    "balanced_accuracy": ("Balanced accuracy", "The same, with both classes counting equally however many items they have."),
    "precision": ("Precision", "Of what is called AI-generated, the share that is."),
    "recall": ("Recall", "Of what is AI-generated, the share that is found."),
    "f1": ("F1", "One figure for precision and recall together."),
}


@dataclass(frozen=True)
class Evidence:
    """What a report is made of.

    Attributes:
        metrics: the content of ``reports/metrics.json``.
        splits: the rows of ``splits.parquet``.
        items: the item table of the test split.
        frames: the predictions of the test split.
        shortcuts: the content of ``data/shortcuts.json``.
        params: the resolved parameters, nested.
        lineage: names and values that say where the model comes from.
        cautions: reasons for distrust.
    """

    metrics: dict[str, Any]
    splits: pd.DataFrame
    items: pd.DataFrame
    frames: pd.DataFrame
    shortcuts: dict[str, Any]
    params: dict[str, Any]
    lineage: dict[str, str]
    cautions: list[Caution]


def render(evidence: Evidence, figures: Mapping[str, Path], clean: Path) -> str:
    """Return the report as HTML that loads nothing from anywhere.

    Args:
        evidence: the facts.
        figures: the pictures by name.
        clean: the folder of clean shards, for the pictures of mistakes.
    """
    environment = Environment(
        loader=PackageLoader("bonafide.reporting"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"figure": figure, "between": between, "percent": percent}
    paths = evidence.splits.set_index("media_id")["path"]
    items = evidence.items.assign(path=evidence.items["media_id"].map(paths))
    return environment.get_template("report.html").render(
        evidence=evidence,
        metrics=evidence.metrics,
        words=METRIC_WORDS,
        pictures={name: mistakes.data_uri(path.read_bytes(), "image/png") for name, path in figures.items()},
        mistakes=mistakes.worst(items, evidence.frames, evidence.metrics["threshold"], clean, _WORST),
        wrong=_wrong(evidence.metrics["test"]["item"]["confusion"]),
        counts=count_table(evidence.splits),
        generators=generator_table(evidence.splits),
        settings=list(leaves(evidence.params)),
        leak=LEAK,
    )


def count_table(splits: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the number of items per split, kind and class, in the order of use."""
    order = {"train": 0, "val": 1, "test": 2}
    counts = splits.groupby(["split", "kind", "label"]).size().unstack(fill_value=0).reindex(columns=["real", "fake"], fill_value=0)
    return sorted(counts.reset_index().to_dict("records"), key=lambda row: (order[row["split"]], row["kind"]))


def generator_table(splits: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the number of items of each generator per split, the most frequent first."""
    fakes = splits[splits["label"] == "fake"].assign(generator=lambda table: table["generator"].replace("", "unknown"))
    counts = fakes.groupby(["generator", "split"]).size().unstack(fill_value=0).reindex(columns=["train", "val", "test"], fill_value=0)
    ordered = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    return ordered.reset_index().to_dict("records")


def figure(value: float | None) -> str:
    """Return a figure as people read it, such as ``0.87``; the last step below 1 is not rounded up to it."""
    if value is None:
        return _NONE
    rounded = f"{value:.2f}"
    return ">0.99" if rounded == "1.00" and value < 1 else rounded


def between(entry: Mapping[str, Any]) -> str:
    """Return an interval such as ``0.80 to 0.93``, or nothing where there is none."""
    if entry.get("low") is None:
        return ""
    return f"{figure(entry['low'])} to {figure(entry['high'])}"


def percent(part: float | None) -> str:
    """Return a share in per cent."""
    if part is None:
        return _NONE
    return f"{100 * part:.0f}\N{NO-BREAK SPACE}%"


def _wrong(confusion: Mapping[str, int]) -> dict[str, int]:
    """The two kinds of mistakes, and of how many items."""
    return {
        "alarms": confusion["real_called_fake"],
        "reals": confusion["real_called_real"] + confusion["real_called_fake"],
        "missed": confusion["fake_called_real"],
        "fakes": confusion["fake_called_fake"] + confusion["fake_called_real"],
    }
