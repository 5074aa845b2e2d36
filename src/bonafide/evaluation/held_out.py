"""Leave one generator out: the dataset as it would be had a generator never been seen, and on what its detector is then tested.

What a detector finds of generators that it was trained on says little of the next one; see Wang et al., "CNN-generated images are
surprisingly easy to spot... for now" (2020), and Ojha et al., "Towards Universal Fake Image Detectors that Generalize Across
Generative Models" (2023), who test across generators for that reason.
"""

from dataclasses import dataclass

import pandas as pd

from bonafide.dataset.split import balanced_train
from bonafide.evaluation import tables
from bonafide.params import Balance

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
    return scored.assign(held_out=fold.generator, score=scored["media_id"].map(scores))[tables.HELD_OUT.names].reset_index(drop=True)
