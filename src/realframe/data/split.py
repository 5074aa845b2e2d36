"""Dealing the items to train, val and test so that what is tested was never shown: a cluster of items stays in one split.

The clusters are dealt greedily, the largest first, each to the split that it brings nearest to its share of the items, of each class,
of each class and kind, and of each generator and source; the idea is that of scikit-learn's StratifiedGroupKFold, with given shares.
"""

import numpy as np
import pandas as pd

from realframe.config import Balance, Split
from realframe.data import previous_split
from realframe.data.balance import shuffle_key, train_repeats, train_weights
from realframe.data.clusters import find_clusters
from realframe.errors import DatasetError, TooFewItemsError

SPLITS = ("train", "val", "test")
LABELS = ("real", "fake")
_STRATA = (["label"], ["label", "kind"], ["label", "kind", "generator"], ["label", "kind", "source"])


def assign_splits(
    balanced: pd.DataFrame, quality: pd.DataFrame, split: Split, balance: Balance, seed: int, dealt_before: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the rows of ``data/splits.parquet``: the included items with ``split``, ``cluster``, ``repeat`` and ``weight``.

    A split that a folder or CSV gives is kept, and its whole cluster follows it. Where every item is given one, but none is given to val or
    to test, that one is dealt out of train. Items of an earlier deal keep their splits; where a new item shows that several of them
    belong together, all go to train rather than val, and to val rather than test.

    Args:
        balanced: the rows of ``data/balanced.parquet``, in any order.
        quality: the rows of ``data/quality.parquet``.
        split: shares, near-duplicate distance, least items per class.
        balance: what its method does to train: repeats, weights or neither.
        seed: which of equal clusters come first, and which items are repeated.
        dealt_before: what ``dealt.read`` gives of an earlier deal.

    Raises:
        TooFewItemsError: a class is missing, or can't have ``min_per_class`` items in each split.
        DatasetError: a cluster is given to two splits.
    """
    items = balanced[balanced["included"]].sort_values("media_id", ignore_index=True)
    _check_classes(balanced, items)
    before = previous_split.nothing() if dealt_before is None else dealt_before
    items["cluster"] = find_clusters(items, quality, split.near_duplicate_distance, before["cluster"]).to_numpy()
    names, cluster = np.unique(items["cluster"].to_numpy(dtype=str), return_inverse=True)
    _refuse_two_given(items)
    items["split"] = previous_split.keep(items, before)
    allowed = _allowed(items, cluster, len(names))
    order = np.array([shuffle_key(name, seed) for name in names]).argsort()
    placed = _placed(_counts(items, cluster), allowed, order, np.array([1 - split.val - split.test, split.val, split.test]))
    _fill(placed, _per_label(items, cluster), allowed, order, split.min_per_class)
    items["split"] = np.array(SPLITS)[placed[cluster]]
    items = balanced_train(items, balance, seed)
    check(items)
    return items


def check(splits: pd.DataFrame) -> None:
    """Raise DatasetError where a cluster or a group crosses splits, or an item outside of train is repeated or weighted."""
    for column in ("cluster", "group"):
        named = splits[splits[column] != ""]
        crossing = named.groupby(column)["split"].nunique()
        if (crossing > 1).any():
            name = crossing.index[crossing > 1][0]
            paths = named.loc[named[column] == name].drop_duplicates("split")["path"].tolist()
            raise DatasetError(f"{column} {name}", f"stands in two splits: {' and '.join(paths[:2])}", "Run split_dataset again.")
    outside = splits[splits["split"] != "train"]
    if (outside["repeat"] != 1).any() or (outside["weight"] != 1).any():
        raise DatasetError("splits", "items of val or test are repeated or weighted", "Run split_dataset again.")


def _check_classes(balanced: pd.DataFrame, items: pd.DataFrame) -> None:
    for label in LABELS:
        if not (items["label"] == label).any():
            left_out = balanced.loc[balanced["label"] == label, "why"].value_counts()
            found = f"; {', '.join(f'{count} left out ({why})' for why, count in left_out.items())}" if len(left_out) else ""
            hint = f"Put {label} videos or images into a folder named {label}/ and take it in: `realframe ingest FOLDER --label {label}`."
            raise TooFewItemsError(f"class {label}", f"has no item that can be used{found}", hint)


def _refuse_two_given(items: pd.DataFrame) -> None:
    """Raise DatasetError where the folders or the CSV give one cluster to two splits."""
    given = items[items["split"] != ""]
    crossing = given.groupby("cluster")["split"].nunique()
    for twice in crossing.index[crossing > 1][:1]:
        first, second = given[given["cluster"] == twice].drop_duplicates("split").head(2).itertuples()
        raise DatasetError(
            f"{first.path} and {second.path}",
            f"are given to {first.split} and {second.split}, but belong together: one group, or nearly the same pictures",
            "Move one of them, or lower split.near_duplicate_distance if they are not alike.",
        )


def _allowed(items: pd.DataFrame, cluster: np.ndarray, count: int) -> np.ndarray:
    """Return which splits each cluster may go to; bool (clusters, 3)."""
    given = np.zeros((count, len(SPLITS)), bool)
    for at, name in enumerate(SPLITS):
        given[cluster[(items["split"] == name).to_numpy()], at] = True
    allowed = np.where(given.any(axis=1, keepdims=True), given, True)
    if (items["split"] != "").all():
        allowed |= given[:, :1] & ~given.any(axis=0)
    return allowed


def _counts(items: pd.DataFrame, cluster: np.ndarray) -> np.ndarray:
    """Return how many items of each stratum a cluster holds; int64 (clusters, strata). The first stratum is all items."""
    strata = [np.zeros(len(items), np.int64)] + [items.groupby(columns).ngroup().to_numpy() for columns in _STRATA]
    tables = []
    for stratum in strata:
        table = np.zeros((cluster.max() + 1, stratum.max() + 1), np.int64)
        np.add.at(table, (cluster, stratum), 1)
        tables.append(table)
    return np.concatenate(tables, axis=1)


def _per_label(items: pd.DataFrame, cluster: np.ndarray) -> np.ndarray:
    """Return how many items of each of ``LABELS`` a cluster holds; int64 (clusters, 2)."""
    return np.stack([np.bincount(cluster, items["label"] == label, cluster.max() + 1) for label in LABELS], axis=1).astype(np.int64)


def _placed(counts: np.ndarray, allowed: np.ndarray, order: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the split of each cluster, int64 (clusters,): least chi-square distance to the shares, one cluster after the other."""
    target = shares[:, None] * counts.sum(axis=0)
    have = np.zeros_like(target)
    placed = np.zeros(len(counts), np.int64)
    by_size = order[np.argsort(-counts[order, 0], kind="stable")]
    forced_first = by_size[np.argsort(allowed[by_size].sum(axis=1) > 1, kind="stable")]
    for at in forced_first:
        cost = (counts[at] * (2 * (have - target) + counts[at]) / target).sum(axis=1)
        placed[at] = np.where(allowed[at], cost, np.inf).argmin()
        have[placed[at]] += counts[at]
    return placed


def _fill(placed: np.ndarray, per_label: np.ndarray, allowed: np.ndarray, order: np.ndarray, least: int) -> None:
    """Move clusters, in place, until each split has ``least`` items of each label. Raises TooFewItemsError where none can be spared."""
    while True:
        have = np.stack([per_label[placed == at].sum(axis=0) for at in range(len(SPLITS))])
        if (have >= least).all():
            return
        to, label = np.argwhere(have < least)[0]
        spared = ((have[placed] - per_label >= least) | (per_label == 0)).all(axis=1)
        movable = order[((per_label[:, label] > 0) & allowed[:, to] & (placed != to) & spared)[order]]
        if not len(movable):
            raise TooFewItemsError("split", _shortage(have, per_label, least), _hint(LABELS[label], least))
        placed[movable[per_label[movable].sum(axis=1).argmin()]] = to


def _shortage(have: np.ndarray, per_label: np.ndarray, least: int) -> str:
    counts = [
        f"{label} has {per_label[:, at].sum()} items in {(per_label[:, at] > 0).sum()} independent sets, of which {_dealing(have[:, at])}"
        for at, label in enumerate(LABELS)
    ]
    return f"each class needs {least} items in each of train, val and test; {'; '.join(counts)}"


def _dealing(have: np.ndarray) -> str:
    return ", ".join(f"{count} in {split}" for split, count in zip(SPLITS, have, strict=True))


def _hint(label: str, least: int) -> str:
    return (
        f"Add {label} items that share no group or near-duplicate with the others: 3 independent sets of {least} are the least; "
        "or lower split.min_per_class or split.near_duplicate_distance."
    )


def balanced_train(items: pd.DataFrame, balance: Balance, seed: int) -> pd.DataFrame:
    """Add ``repeat`` and ``weight``; both stay 1 outside of train."""
    train = (items["split"] == "train").to_numpy()
    labels = items.loc[train, "label"].tolist()
    repeat, weight = np.ones(len(items), np.int32), np.ones(len(items))
    if balance.method == "oversample":
        repeat[train] = train_repeats(items.loc[train, "media_id"].tolist(), labels, seed)
    if balance.method == "class_weights":
        weight[train] = train_weights(labels)
    return items.assign(repeat=repeat, weight=weight)
