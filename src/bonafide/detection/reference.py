"""What the evaluation left of a version's training and validation items, for the interval and the domain of its answers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bonafide.detection.domain import Domain
from bonafide.detection.interval import temperatures


@dataclass(frozen=True)
class Reference:
    """What an answer is held against.

    Attributes:
        temperatures: those of resampled validation items, (n,); none where there are too few.
        domain: where the training items lie; None where there is nothing to say it by.
    """

    temperatures: NDArray[np.float64]
    domain: Domain | None

    @classmethod
    def read(cls, reference: Path, splits: Path) -> Self:
        """Read it from ``reports/reference.parquet`` and ``data/splits.parquet``; where one is missing, nothing can be said."""
        if not (reference.exists() and splits.exists()):
            return cls(np.zeros(0), None)
        table = pd.read_parquet(reference)
        clusters = pd.read_parquet(splits, columns=["media_id", "cluster"]).set_index("media_id")["cluster"]
        val = table[table["split"] == "val"]
        return cls(temperatures(val.assign(cluster=val["media_id"].map(clusters))), Domain.of(table))
