"""Leave-one-generator-out: what a detector is worth on a generator that its training has not seen."""

from functools import cached_property

import numpy as np
import pandas as pd

from bonafide.evidence.level import Figures, Level
from bonafide.statistics import bootstrap, threshold
from bonafide.statistics.arrays import Floats, Ints
from bonafide.statistics.metrics import Draws, figures

_SEEN, _UNSEEN = "seen", "unseen"
_NOTHING = bootstrap.Interval(np.nan, np.nan, np.nan).as_dict()


def measure(rows: pd.DataFrame | None, test: pd.DataFrame, resamples: int, seed: int) -> Figures | None:
    """Return ``held_out`` as in ``metrics.json``; None where no generator was held out.

    ``generators``: for each, by the detector that was trained without it, ROC-AUC and recall over all its items and the test split's real
    items; ``threshold`` comes from that detector's own validation items. ``macro``: the mean ROC-AUC over the generators with enough
    items; a resample draws the clusters of all of them together, since they share their real items. ``same_items``: the mean ROC-AUC on
    the generators' test items alone, by the detector that has ``seen`` them in training and by those that have not, and the ``drop``.

    Args:
        rows: of ``held_out.parquet``, or None.
        test: the test items and the ``score`` that the detector itself gives them.
        resamples: of the intervals.
        seed: of the resamples.
    """
    if rows is None or rows.empty:
        return None
    val, tested = (rows[rows["split"] == split].reset_index(drop=True) for split in ("val", "test"))
    at = {name: _threshold(part) for name, part in val.groupby("held_out")}
    generators = [_generator(str(name), part, at[name], resamples, seed) for name, part in tested.groupby("held_out")]
    scores = test.set_index("media_id")["score"]
    both = tested.rename(columns={"score": _UNSEEN}).assign(**{_SEEN: tested["media_id"].map(scores)})
    shared = _Folds(both.dropna(subset=_SEEN).reset_index(drop=True), resamples, seed)
    return {
        "generators": generators,
        "macro": _Folds(tested, resamples, seed).mean("score"),
        "same_items": {**{name: shared.mean(name) for name in (_SEEN, _UNSEEN)}, "drop": shared.drop(_SEEN, _UNSEEN)},
    }


def _generator(name: str, part: pd.DataFrame, at: float, resamples: int, seed: int) -> Figures:
    level = Level(part.reset_index(drop=True), resamples, seed)
    summary = level.figures("score", at)
    kept = {figure: summary[figure] for figure in ("roc_auc", "recall")}
    return {"name": name, **level.counts, "threshold": at, **kept, **level.too_few()}


class _Folds(Level):
    """What several detectors, each trained without one generator, say of the items on which it is tested.

    Its rows have ``held_out`` too; a real item has a row in each fold that it serves.
    """

    @cached_property
    def draws(self) -> Draws:
        """Resamples of the clusters of all folds together, every generator in each."""
        return bootstrap.draw(self.table["cluster"], np.where(self.fake, self.table["held_out"], ""), self.resamples, self.seed)

    @cached_property
    def enough(self) -> dict[str, Ints]:
        """The places of the rows of each generator with enough clusters of both classes."""
        places = {str(name): np.asarray(rows) for name, rows in self.table.groupby("held_out").indices.items()}
        return {name: rows for name, rows in places.items() if self.clusters_of(rows) >= bootstrap.MIN_CLUSTERS}

    def clusters_of(self, rows: Ints) -> int:
        """How many clusters of the rows hold the rarer class."""
        return bootstrap.smaller_class(self.table["cluster"].iloc[rows], self.fake[rows])

    def areas(self, column: str, draws: Draws | None) -> Floats:
        """The mean ROC-AUC over the generators, (resamples,); without resamples, that of the rows as they are."""
        scores = self.scores(column)
        drawn = {name: Draws(draws.times, draws.cluster[rows]) if draws else None for name, rows in self.enough.items()}
        each = [figures(self.fake[rows], scores[rows], 0.5, drawn[name])["roc_auc"] for name, rows in self.enough.items()]
        return np.asarray(np.mean(each, axis=0))

    def mean(self, column: str) -> Figures:
        """The mean ROC-AUC over the generators with its interval, and which generators they are; nulls where there are none."""
        if not self.enough:
            return {**_NOTHING, "generators": []}
        fewest = min(self.clusters_of(rows) for rows in self.enough.values())
        found = bootstrap.interval(float(self.areas(column, None)[0]), self.areas(column, self.draws), fewest)
        return {**found.as_dict(), "generators": list(self.enough)}

    def drop(self, column: str, other: str) -> Figures:
        """By how much it is lower by ``other``, paired over the same resamples."""
        if not self.enough:
            return dict(_NOTHING)
        value, drawn = (self.areas(column, draws) - self.areas(other, draws) for draws in (None, self.draws))
        return bootstrap.Interval(float(value[0]), *bootstrap.percentiles(drawn)).as_dict()


def _threshold(val: pd.DataFrame) -> float:
    return threshold.choose((val["label"] == "fake").to_numpy(), val["score"].to_numpy(np.float64))
