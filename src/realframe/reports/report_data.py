"""The one place where templates are found and figures are formatted for them.

What a report and a card are made of.

How many items of what stand in which split, as rows for a table.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from realframe.evaluation.caveats import Caveat
from realframe.presentation import formatting


def environment(*, html: bool) -> Environment:
    """Return the templates of this package; ``html`` escapes what comes from outside, such as names of files."""
    made = Environment(
        loader=PackageLoader("realframe.reports"),
        autoescape=html,  # noqa: S701 - Markdown is read as text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        name: getattr(formatting, name) for name in ("figure", "between", "percent", "signed", "shown", "value_at", "worst_unseen")
    }
    return made


@dataclass(frozen=True)
class ReportData:
    """The facts of one evaluated model.

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
    cautions: list[Caveat]


_SPLITS = ["train", "val", "test"]


def count_table(splits: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the number of items per split, kind and class, in the order of use."""
    counts = splits.groupby(["split", "kind", "label"]).size().unstack(fill_value=0).reindex(columns=["real", "fake"], fill_value=0)
    return sorted(counts.reset_index().to_dict("records"), key=lambda row: (_SPLITS.index(row["split"]), row["kind"]))


def generator_table(splits: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the number of items of each generator per split, the most frequent first."""
    fakes = splits[splits["label"] == "fake"].assign(generator=lambda table: table["generator"].replace("", "unknown"))
    counts = fakes.groupby(["generator", "split"]).size().unstack(fill_value=0).reindex(columns=_SPLITS, fill_value=0)
    ordered = counts.loc[counts.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    return ordered.reset_index().to_dict("records")
