"""The tables of scores that the evidence is computed from: their columns, and writing them. The same rows always give the same bytes.

The scored rows of one split, or of a part of it, and how a figure of them is measured with its interval.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from realframe.files import atomic_path
from realframe.statistics import bootstrap
from realframe.statistics.arrays import Bools, Floats, ratio
from realframe.statistics.classification_metrics import METRICS, Draws, all_metrics, confusion
from realframe.statistics.hypothesis_tests import PairedScores, difference

_ITEM = ("media_id", "label", "kind")
HELD_OUT = pa.schema({**dict.fromkeys(("held_out", "split", *_ITEM, "generator", "source", "cluster"), pa.string()), "score": pa.float64()})
ROBUSTNESS = pa.schema({**dict.fromkeys((*_ITEM, "cluster", "perturbation"), pa.string()), "level": pa.float64(), "score": pa.float64()})
REFERENCE = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64(), "features": pa.list_(pa.float32())})
REGRESSION = pa.schema({**dict.fromkeys((*_ITEM, "split"), pa.string()), "score": pa.float64()})


def write(table: pd.DataFrame, path: Path, schema: pa.Schema) -> None:
    """Write the rows of ``table``, if there are any, as Parquet with the columns of ``schema``, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pandas(table, schema=schema, preserve_index=False), temporary, compression="zstd", store_schema=False)


def empty(schema: pa.Schema) -> pd.DataFrame:
    """Return a table without rows: nothing was measured."""
    return pd.DataFrame(columns=schema.names)


Figures = dict[str, Any]


@dataclass(frozen=True)
class Level:
    """Scored rows: items, or frames.

    Attributes:
        table: rows with ``label``, ``cluster`` and the score columns.
        resamples: how many resamples stand behind an interval.
        seed: of the resamples.
    """

    table: pd.DataFrame
    resamples: int
    seed: int

    @cached_property
    def fake(self) -> Bools:
        """The truth, (n,)."""
        return (self.table["label"] == "fake").to_numpy()

    @cached_property
    def draws(self) -> Draws:
        """The resamples, the same for every column, so that differences are paired."""
        return bootstrap.draw(self.table["cluster"], self.fake, self.resamples, self.seed)

    @cached_property
    def clusters(self) -> int:
        """How many clusters hold the rarer class."""
        return bootstrap.smaller_class(self.table["cluster"], self.fake)

    @property
    def counts(self) -> dict[str, int]:
        """Rows per class."""
        return {"real": int((~self.fake).sum()), "fake": int(self.fake.sum())}

    def scores(self, column: str) -> Floats:
        """Return a score column, (n,)."""
        return self.table[column].to_numpy(np.float64)

    def part(self, rows: Bools) -> "Level":
        """Return the level of some of the rows, (n,)."""
        return replace(self, table=self.table[rows].reset_index(drop=True))

    def figures(self, column: str, at: float, probabilities: Floats | None = None) -> Figures:
        """Return each figure with its interval, the confusion matrix and, where an interval is missing, why.

        Args:
            column: of the scores.
            at: threshold from which a score is called fake.
            probabilities: (n,) for the figures of probabilities; without them the scores themselves.
        """
        values = all_metrics(self.fake, self.scores(column), at, None, probabilities)
        drawn = all_metrics(self.fake, self.scores(column), at, self.draws, probabilities)
        summary: Figures = {m: bootstrap.interval(float(values[m][0]), drawn[m], self.clusters).as_dict() for m in METRICS}
        return summary | {"confusion": confusion(self.fake, self.scores(column), at)} | self.too_few()

    def share(self, hit: Bools, among: Bools) -> Figures:
        """Return which share of the rows ``among`` is ``hit``, both (n,), with its interval."""
        value = float(hit[among].mean()) if among.any() else np.nan
        drawn = np.concatenate([ratio(block @ (hit & among), block @ among) for block in self.draws.blocks()])
        return bootstrap.interval(value, drawn, int(self.table["cluster"][among].nunique())).as_dict()

    def less(self, a: PairedScores, b: PairedScores, figure: str) -> Figures:
        """Return a figure of ``a`` less that of ``b``, both over these rows, paired over the same resamples."""
        return difference(self.fake, self.table["cluster"], a, b, figure, self.resamples, self.seed).as_dict()

    def too_few(self) -> dict[str, str]:
        """Return why there is no interval, in a sentence; nothing where there is one."""
        if self.clusters >= bootstrap.MIN_CLUSTERS:
            return {}
        counts = " and ".join(f"{number} {label}" for label, number in self.counts.items())
        return {"too_few": f"Only {counts}: too few independent items (fewer than {bootstrap.MIN_CLUSTERS} of a class) for an interval."}
