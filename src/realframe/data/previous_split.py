"""Store the split of a dataset version, so that the next version and a training with other frames keep each item in its split.

An item that a model was trained on must stay out of every later test split. Two models are comparable on the same test split only.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from realframe.config import SplitParams
from realframe.files import write_text

SPLIT_PRIORITY = ("train", "val", "test")
"""Where items of several splits belong together, all move to the first of these: what a model may have learned is not tested."""


def write(path: Path, splits: pd.DataFrame, split: Mapping[str, object], seed: int) -> None:
    """Write the split and the cluster of each item.

    Args:
        path: the file.
        splits: the rows of ``data/splits.parquet``.
        split: the section ``split`` of the parameters with which the items were split.
        seed: the seed with which they were split.
    """
    items = splits.sort_values("media_id")[["media_id", "split", "cluster"]]
    rows = {media_id: list(values) for media_id, *values in items.itertuples(index=False)}
    text = json.dumps({"params": _split_params(split, seed), "items": rows}, indent=0, sort_keys=True)
    write_text(path, text + "\n")


def read(path: Path, split: SplitParams, seed: int) -> pd.DataFrame:
    """Return ``split`` and ``cluster`` by ``media_id``; no rows where the items were split with other parameters.

    Args:
        path: the file.
        split: the current parameters; other shares or another near-duplicate distance cause a new split.
        seed: the current seed; another one causes a new split too.
    """
    content = json.loads(path.read_text())
    is_valid = content.get("params") == _split_params(split.model_dump(mode="json"), seed)
    rows = content.get("items", {}) if is_valid else {}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["split", "cluster"], dtype=str) if rows else create_empty()


def create_empty() -> pd.DataFrame:
    """Return the table of :func:`read` without rows."""
    return pd.DataFrame({"split": pd.Series(dtype=str), "cluster": pd.Series(dtype=str)}, index=pd.Index([], dtype=str))


def find_fixed_splits(items: pd.DataFrame, previous: pd.DataFrame) -> pd.Series:
    """Return the split that each item must have: that of its folder or CSV, else that of the previous split, else an empty string.

    Args:
        items: rows with ``media_id``, ``split`` and ``cluster``.
        previous: the table of :func:`read`.
    """
    ranks = (*SPLIT_PRIORITY, "")
    previous_ranks = dict(zip(previous.index, previous["split"].map(ranks.index), strict=True))
    rank = pd.Series([previous_ranks.get(media_id, len(SPLIT_PRIORITY)) for media_id in items["media_id"]], items.index)
    of_cluster = rank.groupby(items["cluster"]).transform("min").map(lambda index: ranks[index])
    is_assigned = (items["split"] != "").groupby(items["cluster"]).transform("any")
    return items["split"].where(is_assigned, of_cluster)


def _split_params(split: Mapping[str, object], seed: int) -> dict[str, object]:
    return {"seed": seed, "split": dict(split)}
