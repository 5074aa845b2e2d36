"""Two versions on the same locked test items, which neither was trained on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from bonafide.review import originals, rescoring
from bonafide.review.documents import SCORE, Documents
from bonafide.settings import get_settings
from bonafide.statistics.arrays import Bools
from bonafide.statistics.paired import Scored
from bonafide.tracking.registry import ModelVersion

_SEEN = ("train", "val")  # validation items chose the epoch, the threshold and the calibration
_RIVAL = "rival"


@dataclass(frozen=True)
class SameItems:
    """The candidate's test items with the scores of both.

    Attributes:
        table: rows with ``media_id``, ``label``, ``cluster``, ``score`` (the candidate's) and ``rival`` (the other one's).
        thresholds: the candidate's and the other one's; a score at or above it is called fake.
        seen: how many test items are left out, as the other one, or their cluster, was in its training or validation.
        lost: how many are left out because the other one could not be asked about them.
    """

    table: pd.DataFrame
    thresholds: tuple[float, float]
    seen: int
    lost: int

    @property
    def fake(self) -> Bools:
        """The truth, (n,)."""
        return (self.table["label"] == "fake").to_numpy()

    @property
    def clusters(self) -> "pd.Series[str]":
        """The cluster of each item, (n,)."""
        return self.table["cluster"]

    @cached_property
    def candidate(self) -> Scored:
        """What the candidate says of them."""
        return Scored(self.table[SCORE].to_numpy(np.float64), self.thresholds[0])

    @cached_property
    def rival(self) -> Scored:
        """What the other one says of them."""
        return Scored(self.table[_RIVAL].to_numpy(np.float64), self.thresholds[1])


def lay(candidate: Documents, rival: ModelVersion) -> SameItems:
    """Return both versions' scores of the candidate's test items.

    Where the other one was tested on the same locked split, its scores are in its evidence. Else its detector scores the originals; what
    it has seen in training is left out then.

    Raises:
        RegistryError: the evidence of one of them is missing or was changed.
    """
    items, other = candidate.test_items, Documents.of(rival)
    thresholds = (candidate.threshold, other.threshold)
    if rival.test_split and rival.test_split == candidate.version.test_split:
        scores = other.test_items.set_index("media_id")[SCORE]
        return SameItems(items.assign(**{_RIVAL: items["media_id"].map(scores)}), thresholds, 0, 0)
    fresh = _unseen(items, other.splits)
    scored = fresh.assign(**{_RIVAL: fresh["media_id"].map(_rescored(fresh, candidate.version, rival))}).dropna(subset=[_RIVAL])
    return SameItems(scored.reset_index(drop=True), thresholds, len(items) - len(fresh), len(fresh) - len(scored))


def _unseen(items: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Leave out each cluster of which the other version saw an item."""
    seen = splits.loc[splits["split"].isin(_SEEN), "media_id"]
    touched = items.loc[items["media_id"].isin(seen), "cluster"]
    return items[~items["cluster"].isin(touched)]


def _rescored(items: pd.DataFrame, candidate: ModelVersion, rival: ModelVersion) -> dict[str, float]:
    paths = dict(zip(items["media_id"], items["path"], strict=True))
    with originals.of_dataset(paths, candidate.commit, get_settings()) as find:
        return rescoring.scores(rival, paths, find)
