"""Hold the data of the evaluation report and the model card, and count the items of the dataset for their tables."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from realframe.evaluation.caveats import Caveat

_SPLITS = ["train", "val", "test"]


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
