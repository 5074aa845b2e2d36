"""Measure the detector on slices of the test split: by generator, source, codec, resolution, duration and brightness.

A single metric can hide that the detector fails on one generator, one codec or dark frames.
"""

from typing import Any

import numpy as np
import pandas as pd

from realframe.evaluation.scored_rows import Figures, ScoredRows
from realframe.statistics import bootstrap
from realframe.statistics.arrays import Bools

_UNKNOWN = "unknown"
_RESOLUTION = ([-np.inf, 480, 720, 1080, np.inf], ["under 480", "480 to 719", "720 to 1079", "1080 and more"])  # short side, pixels
_DURATION = ([-np.inf, 5, 15, np.inf], ["under 5 s", "5 to 15 s", "15 s and more"])
_BRIGHTNESS = ([-np.inf, 85, 170, np.inf], ["dark", "medium", "bright"])  # thirds of the luminance range, 0 to 255


def assign_slices(items: pd.DataFrame, splits: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Return the name of the slice of each item, (items, dimensions), as categories in display order. NaN: in no slice.

    Args:
        items: the item table.
        splits: the rows of ``splits.parquet``.
        quality: the rows of ``quality.parquet``. Brightness is the mean over the kept frames.
    """
    facts = splits.set_index("media_id").loc[items["media_id"]].reset_index()
    fake, video = facts["label"] == "fake", facts["kind"] == "video"
    brightness = quality[quality["is_kept"]].groupby("media_id")["brightness"].mean()
    duration = _bin_numbers(facts["duration_s"], _DURATION).cat.add_categories("image")
    return pd.DataFrame(
        {
            "generator": _categorize(facts["generator"].where(fake)),
            "source": _categorize(facts["source"]),
            "codec": _categorize(facts["codec"]),
            "resolution": _bin_numbers(facts[["width", "height"]].min(axis=1), _RESOLUTION),
            "duration": duration.where(video, "image"),
            "brightness": _bin_numbers(facts["media_id"].map(brightness), _BRIGHTNESS),
        }
    )


def compute_slice_figures(test: ScoredRows, slice_names: pd.DataFrame, column: str, threshold: float) -> Figures:
    """Compute ``slices`` of ``metrics.json``: per dimension a list of ``name``, ``real``, ``fake``, ``accuracy``, ``roc_auc``, ``too_few``.

    ``roc_auc`` is present if both classes have enough items. A slice of one class, such as a generator, is ranked against the test items
    of the other class that have the same kinds.

    Args:
        test: the test items.
        slice_names: result of :func:`assign_slices`.
        column: the score column.
        threshold: the threshold of the detector.
    """
    return {
        str(dimension): [
            _slice_figures(test, str(name), (names == name).to_numpy(), column, threshold)
            for name in names.cat.categories
            if (names == name).any()
        ]
        for dimension, names in slice_names.items()
    }


def _slice_figures(test: ScoredRows, name: str, mask: Bools, column: str, threshold: float) -> Figures:
    part = test.select(mask)
    is_correct = (part.scores(column) >= threshold) == part.is_fake
    row: Figures = {"name": name, **part.class_counts, "accuracy": part.compute_share(is_correct, np.ones_like(is_correct))}
    ranked_rows = _add_other_class(test, mask)
    if ranked_rows.minority_clusters >= bootstrap.MIN_CLUSTERS:
        row["roc_auc"] = ranked_rows.compute_metrics(column, threshold)["roc_auc"]
    return row | _too_few_note(part)


def _add_other_class(test: ScoredRows, mask: Bools) -> ScoredRows:
    """Return the rows of a slice. If it has one class only, add the items of the other class that have the same kinds."""
    part = test.table[mask]
    if part["label"].nunique() > 1:
        return test.select(mask)
    others = ~test.table["label"].isin(part["label"]) & test.table["kind"].isin(part["kind"])
    return test.select(mask | others.to_numpy())


def _too_few_note(part: ScoredRows) -> dict[str, str]:
    clusters = part.table["cluster"].nunique()
    if clusters >= bootstrap.MIN_CLUSTERS:
        return {}
    items = f"{len(part.table)} item{'s' if len(part.table) > 1 else ''}"
    return {"too_few": f"Only {items}: fewer than {bootstrap.MIN_CLUSTERS} independent ones, too few for a figure."}


def _categorize(names: "pd.Series[str]") -> "pd.Series[Any]":
    """Return names as categories, the most frequent first."""
    known = names.replace("", _UNKNOWN)
    return known.astype(pd.CategoricalDtype(known.value_counts().sort_index().sort_values(ascending=False, kind="stable").index))


def _bin_numbers(numbers: "pd.Series[float]", bins: tuple[list[float], list[str]]) -> "pd.Series[Any]":
    return pd.cut(numbers, bins[0], right=False, labels=bins[1], ordered=False)
