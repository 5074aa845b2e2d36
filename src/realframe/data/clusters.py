"""Which media items must stay together: those of one group, and those that show nearly the same picture.

Two frames are near-duplicates where their 64-bit perceptual hashes differ in few bits (Zauner 2010, "Implementation and benchmarking of
perceptual image hash functions"). Items that are linked, also through others, form a cluster.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

_BLOCK = 1 << 24  # pairs compared at once: 128 MiB of 64-bit differences


def find_clusters(items: pd.DataFrame, quality: pd.DataFrame, distance: int, known: "pd.Series[str] | None" = None) -> pd.Series:
    """Return the cluster of each item: the smallest ``media_id`` among those it must stay with.

    The pictures of two items of an earlier deal are not compared again: with other frames sampled they might look less or more alike.

    Args:
        items: rows with ``media_id`` and ``group`` (empty: none).
        quality: the rows of ``data/quality.parquet``; the hashes of kept frames are compared.
        distance: frames within so many bits link their items; -1 compares none.
        known: the clusters of an earlier deal, by ``media_id``.

    Returns:
        Strings, indexed by ``media_id`` in ascending order.
    """
    ids = np.sort(items["media_id"].to_numpy(dtype=str))
    known = pd.Series(dtype=str) if known is None else known
    old = np.isin(ids, known.index.to_numpy(dtype=str))
    before = pd.DataFrame({"media_id": ids[old], "cluster": known.loc[ids[old]].to_numpy(dtype=str)})
    links = [_group_links(items, ids, "group"), _group_links(before, ids, "cluster")]
    if distance >= 0:
        links.append(_frame_links(ids, quality, distance, old))
    edges = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), shape=(len(ids), len(ids)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)  # ids are sorted: the first of a component is its smallest
    return pd.Series(ids[first][component], index=pd.Index(ids, name="media_id"), name="cluster", dtype=str)


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Return the pairs of hashes that differ in at most ``distance`` bits.

    Args:
        hashes: uint64 (N,). Compared block by block, so memory stays bounded; time grows with N squared.
        distance: bits, 0 to 64.

    Returns:
        int64 (2, M): positions i < j.
    """
    rows = max(1, _BLOCK // max(1, len(hashes)))
    found = [np.empty((2, 0), np.int64)]
    for start in tqdm(range(0, len(hashes), rows), desc="comparing frames", unit="block", disable=None):
        block = hashes[start : start + rows]
        near = np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= distance
        i, j = np.nonzero(near)
        found.append(np.stack([i, j])[:, j > i] + start)
    return np.concatenate(found, axis=1)


def _group_links(items: pd.DataFrame, ids: np.ndarray, column: str) -> np.ndarray:
    """Link each item of a group to the first of it; int64 (2, M), positions in ``ids``."""
    grouped = items.loc[items[column] != "", ["media_id", column]].sort_values("media_id")
    heads = grouped.groupby(column)["media_id"].transform("first")
    return np.stack([np.searchsorted(ids, grouped["media_id"].to_numpy(dtype=str)), np.searchsorted(ids, heads.to_numpy(dtype=str))])


def _frame_links(ids: np.ndarray, quality: pd.DataFrame, distance: int, old: np.ndarray) -> np.ndarray:
    """Link the items of near-duplicate frames, of which at least one is new; int64 (2, M), positions in ``ids``.

    Equal hashes are one vertex, to which all their items are tied: a new item where there is one, so that it joins the old ones.
    """
    kept = quality.loc[quality["kept"] & quality["media_id"].isin(ids), ["media_id", "phash"]]
    hashes = np.array([int(text, 16) for text in kept["phash"]], np.uint64)
    owners = np.searchsorted(ids, kept["media_id"].to_numpy(dtype=str))
    distinct, which = np.unique(hashes, return_inverse=True)
    new_first = np.argsort(old[owners], kind="stable")
    anchor = np.empty(len(distinct), np.int64)
    anchor[which[new_first[::-1]]] = owners[new_first[::-1]]  # the first is written last
    edges = np.concatenate([np.stack([owners, anchor[which]]), anchor[near_pairs(distinct, distance)]], axis=1)
    return edges[:, ~old[edges].all(axis=0)]
