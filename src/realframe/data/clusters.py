"""Cluster the media items that must stay in one split: items of one group, and items with nearly identical frames.

An item may be of several groups, such as the two people of a face swap; it then links all items of both.

Two frames are near-duplicates where their 64-bit perceptual hashes differ in few bits (Zauner 2010, "Implementation and benchmarking of
perceptual image hash functions"). A cluster is a connected component of the items linked in this way.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from realframe.data.labels import split_groups

_BLOCK_PAIRS = 1 << 24  # pairs compared at once: 128 MiB of 64-bit differences


def find_clusters(
    items: pd.DataFrame, quality: pd.DataFrame, distance: int, previous_clusters: "pd.Series[str] | None" = None
) -> pd.Series:
    """Return the cluster of each item: the smallest ``media_id`` of the cluster.

    The frames of two items of the previous split are not compared again: with other sampled frames the result could differ.

    Args:
        items: rows with ``media_id`` and ``group`` (empty: none; several: separated by ``|``).
        quality: the rows of ``data/quality.parquet``; the hashes of kept frames are compared.
        distance: frames whose hashes differ in at most so many bits link their items; -1 compares none.
        previous_clusters: the clusters of the previous split, by ``media_id``.

    Returns:
        Strings, indexed by ``media_id`` in ascending order.
    """
    ids = np.sort(items["media_id"].to_numpy(dtype=str))
    previous = pd.Series(dtype=str) if previous_clusters is None else previous_clusters
    is_known = np.isin(ids, previous.index.to_numpy(dtype=str))
    known = pd.DataFrame({"media_id": ids[is_known], "cluster": previous.loc[ids[is_known]].to_numpy(dtype=str)})
    links = [_link_groups(items, ids, "group"), _link_groups(known, ids, "cluster")]
    if distance >= 0:
        links.append(_link_near_frames(ids, quality, distance, is_known))
    edges = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(edges.shape[1], bool), (edges[0], edges[1])), shape=(len(ids), len(ids)))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)  # ids are sorted: the first of a component is its smallest
    return pd.Series(ids[first][component], index=pd.Index(ids, name="media_id"), name="cluster", dtype=str)


def find_group_components(items: pd.DataFrame) -> "pd.Series[str]":
    """Return, for each row, the smallest ``media_id`` of the items that its groups link; index as in ``items``."""
    no_frames = pd.DataFrame({"media_id": [], "is_kept": [], "phash": []})
    return items["media_id"].map(find_clusters(items, no_frames, -1)).astype(str)


def explode_groups(rows: pd.DataFrame, column: str = "group") -> pd.DataFrame:
    """Return one row per item and group, without the items that are of none."""
    names = rows[column].map(split_groups)
    return rows.assign(**{column: names}).explode(column).dropna(subset=[column])


def find_near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """Return the pairs of hashes that differ in at most ``distance`` bits.

    Args:
        hashes: uint64 (N,). They are compared block by block, so memory stays bounded; time grows with N squared.
        distance: bits, 0 to 64.

    Returns:
        int64 (2, M): positions i < j.
    """
    rows = max(1, _BLOCK_PAIRS // max(1, len(hashes)))
    pairs = [np.empty((2, 0), np.int64)]
    for start in tqdm(range(0, len(hashes), rows), desc="comparing frames", unit="block", disable=None):
        block = hashes[start : start + rows]
        near = np.bitwise_count(block[:, None] ^ hashes[None, start:]) <= distance
        i, j = np.nonzero(near)
        pairs.append(np.stack([i, j])[:, j > i] + start)
    return np.concatenate(pairs, axis=1)


def _link_groups(items: pd.DataFrame, ids: np.ndarray, column: str) -> np.ndarray:
    """Link each item of a group to the first item of the group; int64 (2, M), positions in ``ids``."""
    grouped = explode_groups(items.loc[:, ["media_id", column]].sort_values("media_id"), column)
    first = grouped.groupby(column)["media_id"].transform("first")
    return np.stack([np.searchsorted(ids, grouped["media_id"].to_numpy(dtype=str)), np.searchsorted(ids, first.to_numpy(dtype=str))])


def _link_near_frames(ids: np.ndarray, quality: pd.DataFrame, distance: int, is_known: np.ndarray) -> np.ndarray:
    """Link the items of near-duplicate frames, of which at least one item is new; int64 (2, M), positions in ``ids``.

    Equal hashes form one vertex. All their items are linked to one of them, the anchor: a new item where there is one, so that it connects
    to the known items.
    """
    kept_frames = quality.loc[quality["is_kept"] & quality["media_id"].isin(ids), ["media_id", "phash"]]
    hashes = np.array([int(text, 16) for text in kept_frames["phash"]], np.uint64)
    owners = np.searchsorted(ids, kept_frames["media_id"].to_numpy(dtype=str))
    distinct, vertex = np.unique(hashes, return_inverse=True)
    new_first = np.argsort(is_known[owners], kind="stable")
    anchor = np.empty(len(distinct), np.int64)
    anchor[vertex[new_first[::-1]]] = owners[new_first[::-1]]  # the last write wins: that of a new item
    edges = np.concatenate([np.stack([owners, anchor[vertex]]), anchor[find_near_pairs(distinct, distance)]], axis=1)
    return edges[:, ~is_known[edges].all(axis=0)]
