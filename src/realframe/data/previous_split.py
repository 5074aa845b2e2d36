"""How an earlier dataset version dealt its items, so that the next one, and a training with other frames, keep each in its split.

What a model has seen must stay out of every later test split; and only on one and the same split are two models comparable.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from realframe.config import Split
from realframe.files import write_text

SAFEST_FIRST = ("train", "val", "test")
"""Where items of several splits turn out to belong together, all go to the first: what may have been learned is never tested."""


def write(path: Path, splits: pd.DataFrame, split: Mapping[str, object], seed: int) -> None:
    """Keep the split and the cluster of each item.

    Args:
        path: of the file.
        splits: the rows of ``data/splits.parquet``.
        split: the section ``split`` of the parameters with which they were dealt.
        seed: with which they were dealt.
    """
    items = splits.sort_values("media_id")[["media_id", "split", "cluster"]]
    rows = {media_id: list(rest) for media_id, *rest in items.itertuples(index=False)}
    text = json.dumps({"by": _by(split, seed), "items": rows}, indent=0, sort_keys=True)
    write_text(path, text + "\n")


def read(path: Path, split: Split, seed: int) -> pd.DataFrame:
    """Return the items as they were dealt: ``split`` and ``cluster`` by ``media_id``; none where they were dealt by another rule.

    Args:
        path: of the file.
        split: how items are dealt now; other shares or another distance ask for a new deal.
        seed: another one asks for a new deal too.
    """
    kept = json.loads(path.read_text())
    rows = kept.get("items", {}) if kept.get("by") == _by(split.model_dump(mode="json"), seed) else {}
    return nothing() if not rows else pd.DataFrame.from_dict(rows, orient="index", columns=["split", "cluster"], dtype=str)


def nothing() -> pd.DataFrame:
    """Return the deal of no item."""
    return pd.DataFrame({"split": pd.Series(dtype=str), "cluster": pd.Series(dtype=str)}, index=pd.Index([], dtype=str))


def keep(items: pd.DataFrame, dealt: pd.DataFrame) -> pd.Series:
    """Return the split of each item that is given one: by its folder or CSV, else by the earlier deal, else empty.

    Args:
        items: rows with ``media_id``, ``split`` and ``cluster``.
        dealt: what :func:`read` returned.
    """
    ranks = (*SAFEST_FIRST, "")
    earlier = dict(zip(dealt.index, dealt["split"].map(ranks.index), strict=True))
    rank = pd.Series([earlier.get(media_id, len(SAFEST_FIRST)) for media_id in items["media_id"]], items.index)
    safest = rank.groupby(items["cluster"]).transform("min").map(lambda at: ranks[at])
    given = (items["split"] != "").groupby(items["cluster"]).transform("any")
    return items["split"].where(given, safest)


def _by(split: Mapping[str, object], seed: int) -> dict[str, object]:
    return {"seed": seed, "split": dict(split)}
