"""Weight items so that each class counts equally, within a class each source, within a source each generator, and then each item.

A detector meets files of a new source, not further files of the sources it was measured on. What holds for a new source follows from the
number of sources, however many items each of them has.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from realframe.statistics.arrays import Bools, Floats

LABELS = ("real", "fake")
MIN_SOURCES = 3
"""With fewer sources of a class, nothing is said about unseen sources, and nothing is selected by them."""


@dataclass(frozen=True)
class WeightsByItem:
    """The weights of the items.

    Attributes:
        values: (n,); those of a class sum to 1.
        units: number of independent units of each class, its sources.
    """

    values: Floats
    units: dict[str, int]

    @classmethod
    def equal(cls, is_fake: Bools) -> Self:
        """Weight items that are independent of each other: each is a unit by itself."""
        counts = {"real": int((~is_fake).sum()), "fake": int(is_fake.sum())}
        return cls(1 / np.where(is_fake, max(counts["fake"], 1), max(counts["real"], 1)), counts)

    @classmethod
    def by_source(cls, is_fake: Bools, sources: NDArray[np.object_], generators: NDArray[np.object_]) -> Self:
        """Weight items of sources: each source of a class equally, within it each generator, within that each item.

        Args:
            is_fake: (n,) true labels.
            sources: (n,) names.
            generators: (n,) names; empty for real items.
        """
        table = pd.DataFrame({"label": is_fake, "source": sources, "generator": generators})
        units = table.groupby("label")["source"].nunique()
        generator_count = table.groupby(["label", "source"])["generator"].transform("nunique")
        item_count = table.groupby(["label", "source", "generator"])["label"].transform("size")
        values = 1 / (table["label"].map(units) * generator_count * item_count)
        return cls(values.to_numpy(np.float64), {"real": int(units.get(False, 0)), "fake": int(units.get(True, 0))})

    def select(self, label: str, is_fake: Bools) -> Floats:
        """Return the weights of the items of a class."""
        return self.values[is_fake == (label == "fake")]
