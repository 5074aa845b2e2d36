"""Plan folds that leave out whole sources: the dataset to train on without them, and the items to test.

A source is where files come from: a repository, a camera, a website. Its real and its AI-generated files have traces of it in common, such
as sizes and compression. A detector that is tested on sources of its training can read these traces; on files of a new source it cannot.
A fold therefore leaves out a source with the items of **both** classes. If one class stayed in the training, the detector would learn
that the traces of this source mean that class, and would be wrong on the other one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from realframe.config import BalanceParams
from realframe.data.source_groups import (
    CLASS_NAMES,
    count_items,
    count_sources,
    list_kinds_with_enough_sources,
    name_sources,
    share_out_sources,
)
from realframe.data.split import balance_train, renew_validation
from realframe.evaluation import scored_rows
from realframe.statistics.arrays import Bools, Ints
from realframe.statistics.source_weights import LABELS

_MAX_NAMED = 8


@dataclass(frozen=True)
class SourceFold:
    """The dataset without some sources.

    Attributes:
        number: of the fold, from 0.
        sources: the sources that are left out.
        splits: rows as in ``splits.parquet``, and ``planned_split``, their split there. ``test`` holds all items of the sources that are
            left out. ``train`` and ``val`` lack these, all other items of the generators in ``test``, and the clusters of both. Where
            this leaves ``val`` without a class, it is chosen anew.
    """

    number: int
    sources: tuple[str, ...]
    splits: pd.DataFrame

    @property
    def title(self) -> str:
        """The sources in words, of many the first."""
        more = len(self.sources) - _MAX_NAMED
        return ", ".join(self.sources[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")

    @property
    def skip_reason(self) -> str:
        """Why no detector can be trained without these sources; empty if one can."""
        for split in ("train", "val"):
            if missing := set(LABELS) - set(self.splits.loc[self.splits["split"] == split, "label"]):
                rest = "without them, their generators and clusters"
                return f"{self.title} cannot be left out: {rest}, {split} has no {CLASS_NAMES[min(missing)]} item"
        return ""

    @property
    def missing_kinds_note(self) -> str:
        """Which tested kinds have no training item of a class in this fold, as a sentence; empty if there are none."""
        train, test = (self.splits[self.splits["split"] == split] for split in ("train", "test"))
        missing = [
            f"{CLASS_NAMES[label]} {kind}s"
            for kind in sorted(test["kind"].unique())
            for label in LABELS
            if not ((train["kind"] == kind) & (train["label"] == label)).any()
        ]
        return f"without {self.title}, no {' and no '.join(missing)} are left for training" if missing else ""


def plan_source_folds(splits: pd.DataFrame, max_folds: int, balance: BalanceParams, seed: int) -> list[SourceFold]:
    """Return the folds. Each source is left out by exactly one; equal tables give equal folds, in any order of the rows.

    Sources are assigned so that each fold tests both classes of each kind that has enough sources, as far as possible, and about equally
    many items of each. There are no folds if no kind has enough sources. A fold may be impossible to train: see ``skip_reason``.

    Args:
        splits: the rows of ``splits.parquet``.
        max_folds: the largest number of folds; below 2 there are none. There are fewer where a class of a kind has fewer sources.
        balance: the parameters of the balancing of the training classes.
        seed: decides which items are repeated.
    """
    items = splits.sort_values("media_id", ignore_index=True)
    kinds = list_kinds_with_enough_sources(items)
    if max_folds < 2 or not kinds:
        return []
    folds = min(max_folds, *(min(count_sources(items, kind).values()) for kind in kinds))
    sources, of_source = np.unique(name_sources(items).to_numpy(str), return_inverse=True)
    counts, is_required = count_items(items, of_source, kinds)
    fold_by_source = _cover_strata(share_out_sources(counts, folds), counts[:, is_required] > 0, folds)
    return [
        _leave_out(items, number, tuple(sources[fold_by_source == number].tolist()), fold_by_source[of_source] == number, balance, seed)
        for number in range(folds)
        if (fold_by_source == number).any()
    ]


def build_cross_source_rows(fold: SourceFold, scores: dict[str, float]) -> pd.DataFrame:
    """Build the rows of a fold for ``reports/cross_source.parquet``.

    Args:
        fold: the dataset without some sources.
        scores: scores of its test items by ``media_id``, from the detector that was trained without them.
    """
    tested = fold.splits[fold.splits["split"] == "test"].sort_values("media_id", ignore_index=True)
    rows = tested.assign(split=tested["planned_split"], source=name_sources(tested), fold=fold.number, score=tested["media_id"].map(scores))
    return rows[scored_rows.CROSS_SOURCE.names]


def _leave_out(
    items: pd.DataFrame, number: int, sources: tuple[str, ...], is_tested: Bools, balance: BalanceParams, seed: int
) -> SourceFold:
    is_fake = items["label"] == "fake"
    generators = set(items.loc[is_tested & is_fake, "generator"]) - {""}
    related = is_tested | (is_fake & items["generator"].isin(generators)).to_numpy()
    related |= items["cluster"].isin(items.loc[related, "cluster"]).to_numpy()
    planned = items.assign(planned_split=items["split"])
    remaining = planned[~related & planned["split"].isin(["train", "val"])]
    table = pd.concat([renew_validation(remaining, items, seed), planned[is_tested].assign(split="test")], ignore_index=True)
    return SourceFold(number, sources, balance_train(table, balance, seed))


def _cover_strata(assigned: Ints, has_stratum: Bools, folds: int) -> Ints:
    """Move or swap sources while a fold thereby gets a stratum that it lacks, and no more strata are lacking elsewhere."""

    def count_gaps(candidate: Ints) -> int:
        return sum(int((~has_stratum[candidate == fold].any(axis=0)).sum()) for fold in range(folds))

    gaps = count_gaps(assigned)
    while gaps:
        candidates = [candidate for fold in range(folds) for candidate in _neighbors(assigned, has_stratum, fold)]
        best = min(candidates, key=count_gaps, default=assigned)  # the first of equals
        if count_gaps(best) >= gaps:
            break
        assigned, gaps = best, count_gaps(best)
    return assigned


def _neighbors(assigned: Ints, has_stratum: Bools, fold: int) -> list[Ints]:
    """Return assignments in which ``fold`` gets a source with a stratum that it lacks, also in exchange for one of its sources."""
    lacking = ~has_stratum[assigned == fold].any(axis=0)
    found = []
    for source in np.flatnonzero(has_stratum[:, lacking].any(axis=1)):
        moved = assigned.copy()
        moved[source] = fold
        found.append(moved)
        for other in np.flatnonzero(assigned == fold):
            swapped = moved.copy()
            swapped[other] = assigned[source]
            found.append(swapped)
    return found
