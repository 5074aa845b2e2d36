"""Coarsened exact matching: as many items of one class as of the other in each bin of size and duration.

Iacus, King & Porro (2012), "Causal Inference without Balance Checking: Coarsened Exact Matching", Political Analysis 20. Bins are of
equal width in the logarithm: half an octave.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from bonafide.dataset.balance import lot

_PER_OCTAVE = 2
_NAUGHT = 1e-3  # a still image lasts 0 s


def unmatched(items: pd.DataFrame, facts: Sequence[str], seed: int) -> set[str]:
    """Return the ``media_id`` of those that have to go so that each bin of each kind holds equally many of both classes.

    Args:
        items: rows with ``media_id``, ``kind``, ``label``, ``width``, ``height`` and ``duration_s``, as catalogued.
        facts: of ``pixels`` and ``duration_s``; without any, nothing has to go.
        seed: which items of the larger class of a bin stay; it depends on no other item's name.
    """
    if not facts:
        return set()
    known = {"pixels": items["width"] * items["height"], "duration_s": items["duration_s"]}
    bins = [np.floor(np.log2(known[fact].clip(lower=_NAUGHT)) * _PER_OCTAVE).rename(fact) for fact in facts]
    out: set[str] = set()
    for _, members in items.groupby([items["kind"], *bins]):
        classes = [_drawn(members.loc[members["label"] == label, "media_id"], seed) for label in ("real", "fake")]
        kept = min(map(len, classes))
        out.update(name for names in classes for name in names[kept:])
    return out


def _drawn(names: Iterable[str], seed: int) -> list[str]:
    return sorted(names, key=lambda name: lot(name, seed))
