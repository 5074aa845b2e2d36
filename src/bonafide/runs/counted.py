"""How many media items of each class, split, generator and source a dataset version holds."""

from dataclasses import dataclass

import pandas as pd

from bonafide.dataset.split import SPLITS


@dataclass(frozen=True)
class Counted:
    """The items of one class, generator or source.

    Attributes:
        name: in words; empty where nothing is known.
        label: ``real`` or ``fake``.
        by_split: how many in each of ``SPLITS``.
        scale: the most items that a row of the same table holds.
    """

    name: str
    label: str
    by_split: tuple[int, ...]
    scale: int

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.by_split)

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """Of a bar that is 100 long for the longest row: each split, where its part begins and how long it is."""
        lengths = [100 * count / self.scale for count in self.by_split]
        return [(split, round(sum(lengths[:place]), 2), round(lengths[place], 2)) for place, split in enumerate(SPLITS)]


def counted(items: pd.DataFrame, by: str) -> list[Counted]:
    """Count items by a column and by class; the most frequent first.

    Args:
        items: rows with ``label``, ``split`` and the column.
        by: ``kind``, ``generator`` or ``source``.
    """
    table = items.groupby([by, "label", "split"], observed=True).size().unstack("split", fill_value=0).reindex(columns=SPLITS, fill_value=0)
    scale = int(table.sum(axis=1).max()) if len(table) else 1
    rows = [
        Counted(str(name), str(label), tuple(int(count) for count in counts), scale)
        for (name, label), counts in zip(table.index, table.to_numpy(), strict=True)
    ]
    return sorted(rows, key=lambda row: (-row.total, row.name, row.label))
