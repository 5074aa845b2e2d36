"""What a report and a card are made of."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bonafide.evidence.cautions import Caution


@dataclass(frozen=True)
class Evidence:
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
    cautions: list[Caution]
