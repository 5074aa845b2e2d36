"""How many items of what stand in which split, as rows for a table."""

from typing import Any

import pandas as pd

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
