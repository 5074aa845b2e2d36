"""The regression set: of the items that detectors once got wrong, how many does this one get right?"""

import pandas as pd

from bonafide.evidence.level import Figures


def measure(rows: pd.DataFrame | None, at: float) -> Figures | None:
    """Return ``regression`` as in ``metrics.json``; None without items.

    ``items`` and how many of them are called ``right``, and both again of those that were ``not_trained`` on.

    Args:
        rows: of ``regression.parquet``, or None.
        at: the model's threshold.
    """
    if rows is None or rows.empty:
        return None
    right = (rows["score"] >= at) == (rows["label"] == "fake")
    fresh = rows["split"] != "train"
    return {**_counts(right), "not_trained": _counts(right[fresh])}


def _counts(right: "pd.Series[bool]") -> dict[str, int]:
    return {"items": len(right), "right": int(right.sum())}
