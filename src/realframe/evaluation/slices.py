"""How the detector does on parts of the test split: one figure can hide that a generator, a codec or the dark is not recognised."""

from typing import Any

import numpy as np
import pandas as pd

from realframe.evaluation.score_tables import Figures, Level
from realframe.statistics import bootstrap
from realframe.statistics.arrays import Bools

_UNKNOWN = "unknown"
_RESOLUTION = ([-np.inf, 480, 720, 1080, np.inf], ["under 480", "480 to 719", "720 to 1079", "1080 and more"])  # short side, pixels
_DURATION = ([-np.inf, 5, 15, np.inf], ["under 5 s", "5 to 15 s", "15 s and more"])
_BRIGHTNESS = ([-np.inf, 85, 170, np.inf], ["dark", "medium", "bright"])  # thirds of the range of luminance, 0 to 255


def dimensions(items: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Return the slice of each item, (items, dimensions), as categories in the order in which they are shown; NaN: in none.

    Args:
        items: the item table.
        splits: the rows of ``splits.parquet``.
        quality: the rows of ``quality.parquet``; the brightness is the mean over the frames that were kept.
    """
    facts = splits.set_index("media_id").loc[items["media_id"]].reset_index()
    fake, video = facts["label"] == "fake", facts["kind"] == "video"
    light = quality[quality["kept"]].groupby("media_id")["brightness"].mean()
    duration = _binned(facts["duration_s"], _DURATION).cat.add_categories("image")
    return pd.DataFrame(
        {
            "generator": _named(facts["generator"].where(fake)),
            "source": _named(facts["source"]),
            "codec": _named(facts["codec"]),
            "resolution": _binned(facts[["width", "height"]].min(axis=1), _RESOLUTION),
            "duration": duration.where(video, "image"),
            "brightness": _binned(facts["media_id"].map(light), _BRIGHTNESS),
        }
    )


def measure(test: Level, sliced: pd.DataFrame, column: str, at: float) -> Figures:
    """Return for each dimension its slices, as in ``metrics.json``: ``name``, ``real``, ``fake``, ``right``, ``roc_auc``, ``too_few``.

    ``right`` is the share of the slice's items that is called right. ``roc_auc`` is there where both classes have enough items; a slice
    that holds one class only, such as a generator, is ranked against the other class's test items of the same kinds.

    Args:
        test: the test items.
        sliced: their slices, of :func:`dimensions`.
        column: of the scores.
        at: the model's threshold.
    """
    return {
        str(dimension): [
            _slice(test, str(name), (names == name).to_numpy(), column, at) for name in names.cat.categories if (names == name).any()
        ]
        for dimension, names in sliced.items()
    }


def _slice(test: Level, name: str, chosen: Bools, column: str, at: float) -> Figures:
    part = test.part(chosen)
    right = (part.scores(column) >= at) == part.fake
    row: Figures = {"name": name, **part.counts, "right": part.share(right, np.ones_like(right))}
    ranked = _with_rivals(test, chosen)
    if ranked.clusters >= bootstrap.MIN_CLUSTERS:
        row["roc_auc"] = ranked.figures(column, at)["roc_auc"]
    return row | _too_few(part)


def _with_rivals(test: Level, chosen: Bools) -> Level:
    """The slice, and where it holds one class only, the other class's items of the same kinds."""
    part = test.table[chosen]
    if part["label"].nunique() > 1:
        return test.part(chosen)
    rivals = ~test.table["label"].isin(part["label"]) & test.table["kind"].isin(part["kind"])
    return test.part(chosen | rivals.to_numpy())


def _too_few(part: Level) -> dict[str, str]:
    clusters = part.table["cluster"].nunique()
    if clusters >= bootstrap.MIN_CLUSTERS:
        return {}
    items = f"{len(part.table)} item{'s' if len(part.table) > 1 else ''}"
    return {"too_few": f"Only {items}: too few independent ones (fewer than {bootstrap.MIN_CLUSTERS}) to say."}


def _named(names: "pd.Series[str]") -> "pd.Series[Any]":
    """Names as categories, the most frequent first."""
    known = names.replace("", _UNKNOWN)
    return known.astype(pd.CategoricalDtype(known.value_counts().sort_index().sort_values(ascending=False, kind="stable").index))


def _binned(numbers: "pd.Series[float]", bins: tuple[list[float], list[str]]) -> "pd.Series[Any]":
    return pd.cut(numbers, bins[0], right=False, labels=bins[1], ordered=False)
