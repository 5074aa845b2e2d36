"""Split the items into train, val and test by group: all items of a cluster stay in one split, so that no test item was seen in training.

The assignment is greedy: clusters are assigned in descending size, each to the split that it brings nearest to its share of the items, of
each class, of each class and kind, and of each generator and source. This is the idea of scikit-learn's StratifiedGroupKFold, with unequal
shares. Where there are enough sources, val consists of whole sources, so that what is tuned on it is tuned on unseen sources.
"""

import numpy as np
import pandas as pd

from realframe.config import BalanceParams, SplitParams
from realframe.data import previous_split
from realframe.data.balance import compute_class_weights, compute_repeats, shuffle_key
from realframe.data.clusters import explode_groups, find_clusters
from realframe.data.source_groups import (
    choose_validation_sources,
    list_kinds_validated_on_other_sources,
    list_kinds_with_enough_sources,
    name_sources,
)
from realframe.errors import DatasetError, TooFewItemsError
from realframe.statistics.source_weights import LABELS

SPLITS = ("train", "val", "test")
_STRATA = (["label"], ["label", "kind"], ["label", "kind", "generator"], ["label", "kind", "source"])


def assign_splits(
    balanced: pd.DataFrame,
    quality: pd.DataFrame,
    split: SplitParams,
    balance: BalanceParams,
    seed: int,
    previous: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the rows of ``data/splits.parquet``: the included items with ``split``, ``cluster``, ``repeat`` and ``weight``.

    A split that a folder or CSV names is kept, and its whole cluster follows it. Where every item has such a split but val or test has
    none, clusters of train may go there. Items of the previous split keep their splits; where a new item links several of them, all
    move to train rather than val, and to val rather than test.

    Args:
        balanced: the rows of ``data/balanced.parquet``, in any order.
        quality: the rows of ``data/quality.parquet``.
        split: shares, near-duplicate distance, least items per class.
        balance: its method decides whether train items get repeats, weights or neither.
        seed: decides the order of clusters of equal size, and which items are repeated.
        previous: the table of ``previous_split.read``.

    Raises:
        TooFewItemsError: a class is missing, or cannot have ``min_per_class`` items in each split.
        DatasetError: folders or a CSV assign one cluster to two splits.
    """
    items = balanced[balanced["included"]].sort_values("media_id", ignore_index=True)
    _check_classes(balanced, items)
    previous = previous_split.create_empty() if previous is None else previous
    items["cluster"] = find_clusters(items, quality, split.near_duplicate_distance, previous["cluster"]).to_numpy()
    names, cluster = np.unique(items["cluster"].to_numpy(dtype=str), return_inverse=True)
    _check_assigned_splits(items)
    items["split"] = previous_split.find_fixed_splits(items, previous)
    allowed = _find_allowed_splits(items, cluster, len(names))
    order = np.array([shuffle_key(name, seed) for name in names]).argsort()
    try:
        by_source = _validate_on_whole_sources(items, cluster, allowed, split.val)
        split_by_cluster = _fill_splits(items, cluster, by_source, order, split)
    except TooFewItemsError:  # with sources taken apart there may be enough
        split_by_cluster = _fill_splits(items, cluster, allowed, order, split)
    items["split"] = np.array(SPLITS)[split_by_cluster[cluster]]
    items = balance_train(items, balance, seed)
    check_splits(items)
    return items


def balance_train(items: pd.DataFrame, balance: BalanceParams, seed: int) -> pd.DataFrame:
    """Add ``repeat`` and ``weight``; both stay 1 outside of train."""
    train = (items["split"] == "train").to_numpy()
    labels = items.loc[train, "label"].tolist()
    repeat, weight = np.ones(len(items), np.int32), np.ones(len(items))
    if balance.method == "oversample":
        repeat[train] = compute_repeats(items.loc[train, "media_id"].tolist(), labels, seed)
    if balance.method == "class_weights":
        weight[train] = compute_class_weights(labels)
    return items.assign(repeat=repeat, weight=weight)


def renew_validation(remaining: pd.DataFrame, planned: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Choose the validation items of a part of the dataset anew if a class of a kind is no longer among them, else keep them.

    Like the split itself, it takes whole sources where there are enough, else clusters.

    Args:
        remaining: the rows of ``splits.parquet`` of ``train`` and ``val`` that are left.
        planned: the whole dataset, whose share of ``val`` is kept.
        seed: decides which clusters are taken.
    """
    strata = set(zip(remaining["kind"], remaining["label"], strict=True))
    validated = remaining[remaining["split"] == "val"]
    share = (planned["split"] == "val").sum() / planned["split"].isin(["train", "val"]).sum()
    if not share or strata <= set(zip(validated["kind"], validated["label"], strict=True)):
        return remaining
    items = remaining.sort_values("media_id", ignore_index=True)
    names, cluster = np.unique(items["cluster"].to_numpy(dtype=str), return_inverse=True)
    allowed = _validate_on_whole_sources(items.assign(split=""), cluster, np.ones((len(names), len(SPLITS)), bool), float(share))[:, :2]
    order = np.array([shuffle_key(name, seed) for name in names]).argsort()
    split_by_cluster = _assign_clusters(_count_strata(items, cluster), allowed, order, np.array([1 - share, share]))
    return items.assign(split=np.array(SPLITS)[split_by_cluster[cluster]])


def check_splits(splits: pd.DataFrame) -> None:
    """Raise DatasetError where a cluster or a group spans two splits, or an item outside of train is repeated or weighted."""
    for column in ("cluster", "group"):
        members = explode_groups(splits, column)
        split_counts = members.groupby(column)["split"].nunique()
        if (split_counts > 1).any():
            name = split_counts.index[split_counts > 1][0]
            paths = members.loc[members[column] == name].drop_duplicates("split")["path"].tolist()
            raise DatasetError(f"{column} {name}", f"is in two splits: {' and '.join(paths[:2])}", "Run the stage split_dataset again.")
    outside = splits[splits["split"] != "train"]
    if (outside["repeat"] != 1).any() or (outside["weight"] != 1).any():
        raise DatasetError("splits", "items of val or test are repeated or weighted", "Run the stage split_dataset again.")


def _check_classes(balanced: pd.DataFrame, items: pd.DataFrame) -> None:
    for label in LABELS:
        if not (items["label"] == label).any():
            excluded = balanced.loc[balanced["label"] == label, "exclusion_reason"].value_counts()
            counts = f"; {', '.join(f'{count} left out ({reason})' for reason, count in excluded.items())}" if len(excluded) else ""
            hint = f"Put {label} videos or images into a folder named {label}/ and run `realframe ingest FOLDER --label {label}`."
            raise TooFewItemsError(f"class {label}", f"has no usable items{counts}", hint)


def _check_assigned_splits(items: pd.DataFrame) -> None:
    """Raise DatasetError where folders or a CSV assign one cluster to two splits."""
    assigned = items[items["split"] != ""]
    split_counts = assigned.groupby("cluster")["split"].nunique()
    for cluster in split_counts.index[split_counts > 1][:1]:
        first, second = assigned[assigned["cluster"] == cluster].drop_duplicates("split").head(2).itertuples()
        raise DatasetError(
            f"{first.path} and {second.path}",
            f"are assigned to {first.split} and {second.split}, but belong together: they are of one group, or nearly identical",
            "Move one of them, or lower split.near_duplicate_distance if they are not alike.",
        )


def _find_allowed_splits(items: pd.DataFrame, cluster: np.ndarray, count: int) -> np.ndarray:
    """Return which splits each cluster may go to; bool (clusters, 3)."""
    fixed = np.zeros((count, len(SPLITS)), bool)
    for index, name in enumerate(SPLITS):
        fixed[cluster[(items["split"] == name).to_numpy()], index] = True
    allowed = np.where(fixed.any(axis=1, keepdims=True), fixed, True)
    if (items["split"] != "").all():
        allowed |= fixed[:, :1] & ~fixed.any(axis=0)
    return allowed


def _validate_on_whole_sources(items: pd.DataFrame, cluster: np.ndarray, allowed: np.ndarray, share: float) -> np.ndarray:
    """Restrict which splits each cluster may go to: of kinds with enough sources, val gets whole sources and nothing of others.

    Early stopping, the search for hyperparameters and the choice of the aggregate go by val, and what is best on the sources of the
    training need not be best on others. Where items have a split already, the sources of val are those that it has; if some of these are
    in train too, as in splits of earlier versions, nothing is restricted. Bool (clusters, 3).
    """
    governed = items["kind"].isin(list_kinds_with_enough_sources(items))
    known = items["split"].isin(["train", "val"]) & governed
    if (items.loc[known, "split"] == "val").any():
        by_source = items["kind"].isin(list_kinds_validated_on_other_sources(items[known]))
        governed &= by_source
        sources = items["kind"] + "/" + name_sources(items)
        validates = governed & sources.isin(sources[known & (items["split"] == "val")])
    else:
        validates = choose_validation_sources(items, share)
    restricted = allowed.copy()
    if validates.any():
        restricted[cluster[validates]] &= [False, True, False]
        restricted[cluster[governed & ~validates]] &= [True, False, True]
    return np.where(restricted.any(axis=1, keepdims=True), restricted, allowed)


def _fill_splits(items: pd.DataFrame, cluster: np.ndarray, allowed: np.ndarray, order: np.ndarray, split: SplitParams) -> np.ndarray:
    """Return the split of each cluster, int64 (clusters,). Raises TooFewItemsError."""
    shares = np.array([1 - split.val - split.test, split.val, split.test])
    split_by_cluster = _assign_clusters(_count_strata(items, cluster), allowed, order, shares)
    _fill_small_splits(split_by_cluster, _count_labels(items, cluster), allowed, order, split.min_per_class)
    return split_by_cluster


def _count_strata(items: pd.DataFrame, cluster: np.ndarray) -> np.ndarray:
    """Return the number of items of each stratum in each cluster; int64 (clusters, strata). The first stratum is all items."""
    strata = [np.zeros(len(items), np.int64)] + [items.groupby(columns).ngroup().to_numpy() for columns in _STRATA]
    tables = []
    for stratum in strata:
        table = np.zeros((cluster.max() + 1, stratum.max() + 1), np.int64)
        np.add.at(table, (cluster, stratum), 1)
        tables.append(table)
    return np.concatenate(tables, axis=1)


def _count_labels(items: pd.DataFrame, cluster: np.ndarray) -> np.ndarray:
    """Return the number of items of each of ``LABELS`` in each cluster; int64 (clusters, 2)."""
    return np.stack([np.bincount(cluster, items["label"] == label, cluster.max() + 1) for label in LABELS], axis=1).astype(np.int64)


def _assign_clusters(counts: np.ndarray, allowed: np.ndarray, order: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the split of each cluster, int64 (clusters,): that of least chi-square distance to the shares, one cluster after another."""
    target = shares[:, None] * counts.sum(axis=0)
    current = np.zeros_like(target)
    split_by_cluster = np.zeros(len(counts), np.int64)
    by_size = order[np.argsort(-counts[order, 0], kind="stable")]
    fixed_then_size = by_size[np.argsort(allowed[by_size].sum(axis=1) > 1, kind="stable")]
    for index in fixed_then_size:
        cost = (counts[index] * (2 * (current - target) + counts[index]) / target).sum(axis=1)
        split_by_cluster[index] = np.where(allowed[index], cost, np.inf).argmin()
        current[split_by_cluster[index]] += counts[index]
    return split_by_cluster


def _fill_small_splits(
    split_by_cluster: np.ndarray, label_counts: np.ndarray, allowed: np.ndarray, order: np.ndarray, min_count: int
) -> None:
    """Move clusters, in place, until each split has ``least`` items of each label. Raises TooFewItemsError where none can be moved."""
    while True:
        current = np.stack([label_counts[split_by_cluster == index].sum(axis=0) for index in range(len(SPLITS))])
        if (current >= min_count).all():
            return
        to_split, label = np.argwhere(current < min_count)[0]
        can_leave = ((current[split_by_cluster] - label_counts >= min_count) | (label_counts == 0)).all(axis=1)
        movable = order[((label_counts[:, label] > 0) & allowed[:, to_split] & (split_by_cluster != to_split) & can_leave)[order]]
        if not len(movable):
            raise TooFewItemsError("split", _describe_shortage(current, label_counts, min_count), _shortage_hint(LABELS[label], min_count))
        split_by_cluster[movable[label_counts[movable].sum(axis=1).argmin()]] = to_split


def _describe_shortage(current: np.ndarray, label_counts: np.ndarray, min_count: int) -> str:
    labels = []
    for index, label in enumerate(LABELS):
        clusters = (label_counts[:, index] > 0).sum()
        placed = ", ".join(f"{count} in {split}" for split, count in zip(SPLITS, current[:, index], strict=True))
        labels.append(f"{label} has {label_counts[:, index].sum()} items in {clusters} independent sets, of which {placed}")
    return f"each class needs {min_count} items in each of train, val and test; {'; '.join(labels)}"


def _shortage_hint(label: str, min_count: int) -> str:
    return (
        f"Add {label} items that share no group or near-duplicate with the others: at least 3 independent sets of {min_count} are needed. "
        "Or lower split.min_per_class or split.near_duplicate_distance."
    )
