"""Leave one generator out: the dataset as it would be had a generator never been seen, and on what its detector is then tested.

What a detector finds of generators that it was trained on says little of the next one; see Wang et al., "CNN-generated images are
surprisingly easy to spot... for now" (2020), and Ojha et al., "Towards Universal Fake Image Detectors that Generalize Across
Generative Models" (2023), who test across generators for that reason.

Leave-one-generator-out: what a detector is worth on a generator that its training has not seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from realframe.config import Balance
from realframe.data.split import balanced_train
from realframe.evaluation import score_tables
from realframe.evaluation.score_tables import Figures, Level
from realframe.statistics import bootstrap, classification_metrics
from realframe.statistics.arrays import Floats, Ints
from realframe.statistics.classification_metrics import Draws, all_metrics

LEAST_ITEMS = 5
"""A generator with fewer items says nothing, and is not held out."""


@dataclass(frozen=True)
class Fold:
    """The dataset without one generator.

    Attributes:
        generator: the one that is held out.
        splits: rows as of ``splits.parquet``: ``train`` and ``val`` without its items and without what shares a cluster with one of them;
            ``test`` all its items, and the test split's real items of the kinds that it makes.
    """

    generator: str
    splits: pd.DataFrame

    @property
    def hindrance(self) -> str:
        """Why no detector can be trained without the generator; empty where one can."""
        for split in ("train", "val"):
            if missing := {"real", "fake"} - set(self._of(split)["label"]):
                return f"{self.generator} is not held out: without it and what belongs to its items {split} has no {missing.pop()} item"
        return "" if "real" in set(self._of("test")["label"]) else f"{self.generator} is not held out: test has no real item of its kind"

    @property
    def consequence(self) -> str:
        """What the fold means beyond an unseen generator: a kind of which no fake item is left to learn from; empty where there is none."""
        made, left = (set(rows.loc[rows["label"] == "fake", "kind"]) for rows in (self._of("test"), self._of("train")))
        unseen = " and ".join(f"{kind}s" for kind in sorted(made - left))
        return f"without {self.generator} no AI-generated {unseen} are left to learn from; it is tested on a kind never seen" * bool(unseen)

    def _of(self, split: str) -> pd.DataFrame:
        return self.splits[self.splits["split"] == split]


def generators_of(splits: pd.DataFrame) -> list[str]:
    """Return the generators that can be held out, in the order of their names: those of at least 5 items; none where that is only one."""
    counts = splits.loc[(splits["label"] == "fake") & (splits["generator"] != ""), "generator"].value_counts()
    enough = sorted(counts.index[counts >= LEAST_ITEMS])
    return enough if len(enough) > 1 else []


def without(generator: str, splits: pd.DataFrame, balance: Balance, seed: int) -> Fold:
    """Return the dataset without a generator, its training classes balanced anew by the same method.

    Args:
        generator: of :func:`generators_of`.
        splits: the rows of ``splits.parquet``.
        balance: its method is that of the training.
        seed: which items are repeated.
    """
    own = (splits["generator"] == generator) & (splits["label"] == "fake")
    related = splits["cluster"].isin(splits.loc[own, "cluster"])
    learned = splits[splits["split"].isin(["train", "val"]) & ~own & ~related]
    rivals = (splits["split"] == "test") & (splits["label"] == "real") & splits["kind"].isin(splits.loc[own, "kind"])
    tested = splits[own | rivals].assign(split="test")
    return Fold(generator, balanced_train(pd.concat([learned, tested], ignore_index=True), balance, seed))


def rows_of(fold: Fold, scores: dict[str, float]) -> pd.DataFrame:
    """Return the rows of ``reports/held_out.parquet`` that a fold gives.

    Args:
        fold: the dataset without a generator.
        scores: of its val and test items, by ``media_id``, by the detector that was trained on its train items.
    """
    scored = fold.splits[fold.splits["split"] != "train"].sort_values(["split", "media_id"], ascending=[False, True])
    return scored.assign(held_out=fold.generator, score=scored["media_id"].map(scores))[score_tables.HELD_OUT.names].reset_index(drop=True)


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
        each = [all_metrics(self.fake[rows], scores[rows], 0.5, drawn[name])["roc_auc"] for name, rows in self.enough.items()]
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
    return classification_metrics.choose_threshold((val["label"] == "fake").to_numpy(), val["score"].to_numpy(np.float64))
